// How the front end asks the services behind it.
import { type CallReply, send } from '@varka/demo-kit/call.ts';
import type { ShopReply } from '../web/service.ts';

/**
 * No headers of the visitor's go along, tracing headers neither: as in the original, a trace of the shop ends here and
 * begins anew behind.
 */
export function ask(url: string, method = 'GET', body?: unknown): Promise<CallReply> {
  if (body === undefined) return send(url, { method });
  return send(url, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

/** What was asked for, always with status 200 whatever the service's own was: the original looks at the body alone. */
export async function passBody(url: string, method = 'GET', body?: unknown): Promise<ShopReply> {
  return { status: 200, body: (await ask(url, method, body)).bytes };
}

/** The service's answer as it is. */
export async function passThrough(url: string): Promise<ShopReply> {
  const { status, headers, bytes } = await send(url);
  const kept = ['content-type', 'cache-control'].flatMap((name) => {
    const value = headers[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { status, headers: Object.fromEntries(kept), body: bytes };
}

type Json = Readonly<Record<string, unknown>>;

/** Throws when it is no JSON object: an error's text, say. */
export function parsed({ status, body }: CallReply): Json {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new Error(`a service answered ${status}: ${body.slice(0, 200)}`);
}

/** A list in HAL: `_embedded.NAME`, empty when it is not there. */
export function embedded(value: Json, name: string): readonly Json[] {
  const list = (value['_embedded'] as Json | undefined)?.[name];
  return Array.isArray(list) ? (list as Json[]) : [];
}

/** `_links.NAME.href` */
export function link(value: Json | undefined, name: string): string | null {
  const links = value?.['_links'] as Readonly<Record<string, { href?: string }>> | undefined;
  return links?.[name]?.href ?? null;
}
