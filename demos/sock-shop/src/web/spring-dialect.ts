// How the shop's services that were written with Spring Boot speak: their errors and their health.
import { STATUS_CODES } from 'node:http';
import { json, RequestError, type ShopReply, type ShopRequest } from './service.ts';

export function springError(error: unknown, { path }: ShopRequest): ShopReply {
  const status = error instanceof RequestError ? error.status : 500;
  const message = error instanceof Error ? error.message : String(error);
  if (status >= 500) console.error(`${new Date().toISOString()} ERROR ${message}`);
  return json(status, { timestamp: Date.now(), status, error: STATUS_CODES[status] ?? '', message, path });
}

export function springMissing(request: ShopRequest): ShopReply {
  return springError(new RequestError(404, 'No message available'), request);
}

/** The service itself, and what it depends on. */
export function springHealth(services: readonly (readonly [name: string, ok: boolean])[]): ShopReply {
  const date = springDate(new Date());
  return json(200, { health: services.map(([service, ok]) => ({ service, status: ok ? 'OK' : 'err', date })) });
}

/** As Jackson writes dates: 2026-01-31T10:15:30.000+0000. */
export function springDate(date: Date): string {
  return date.toISOString().replace('Z', '+0000');
}
