// Who a visitor is, from one request to the next: a signed cookie, and what is known of its session in a store.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export interface SessionData {
  readonly customerId?: string;
}

export interface SessionStore {
  get(id: string): Promise<SessionData | undefined>;
  /** Keeps it for a day from now. */
  set(id: string, data: SessionData): Promise<void>;
}

export const SESSION_SECONDS = 24 * 60 * 60;
const COOKIE = 'md.sid';
// All instances must agree on it, or a visitor whose requests they share would be someone new every time.
const SECRET = process.env['SESSION_SECRET'] ?? 'varka sock shop';
const MAX_LOCAL_SESSIONS = 10_000;

/** Sessions in this process: they end with it. */
export class LocalSessions implements SessionStore {
  readonly #sessions = new Map<string, { data: SessionData; expires: number }>();

  get(id: string): Promise<SessionData | undefined> {
    const session = this.#sessions.get(id);
    return Promise.resolve(session !== undefined && session.expires > Date.now() ? session.data : undefined);
  }

  set(id: string, data: SessionData): Promise<void> {
    // Deleted first, so that a map's order is the order of last use and the first is the one to drop.
    this.#sessions.delete(id);
    this.#sessions.set(id, { data, expires: Date.now() + SESSION_SECONDS * 1000 });
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= MAX_LOCAL_SESSIONS) break;
      this.#sessions.delete(oldest);
    }
    return Promise.resolve();
  }
}

export function newSessionId(): string {
  return randomBytes(24).toString('base64url');
}

/** The session's id when the cookie is there and its signature is ours. */
export function sessionIdOf(cookies: Readonly<Record<string, string>>): string | undefined {
  const [, id = '', signature = ''] = /^s:([\w-]{32})\.(.+)$/.exec(cookies[COOKIE] ?? '') ?? [];
  const expected = Buffer.from(sign(id));
  const actual = Buffer.from(signature);
  return expected.length === actual.length && timingSafeEqual(expected, actual) ? id : undefined;
}

export function sessionCookie(id: string): string {
  return `${COOKIE}=${encodeURIComponent(`s:${id}.${sign(id)}`)}; Path=/; HttpOnly; SameSite=Lax`;
}

function sign(id: string): string {
  return createHmac('sha256', SECRET).update(id).digest('base64').replace(/=+$/, '');
}

/** Cookies by name; of two with one name the first counts. */
export function cookiesOf(header: string | undefined): Record<string, string> {
  const cookies: Record<string, string> = {};
  for (const pair of (header ?? '').split(';')) {
    const [, name, value = ''] = /^\s*([^=\s]+)\s*=\s*"?([^"]*?)"?\s*$/.exec(pair) ?? [];
    if (name !== undefined && !Object.hasOwn(cookies, name)) cookies[name] = decoded(value);
  }
  return cookies;
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch (error) {
    if (error instanceof URIError) return value;
    throw error;
  }
}
