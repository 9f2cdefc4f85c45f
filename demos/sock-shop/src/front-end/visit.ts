// One request of a visitor: their session around it, and what it sets.
import type { Handler, ShopReply, ShopRequest } from '../web/service.ts';
import {
  cookiesOf,
  newSessionId,
  type SessionData,
  type SessionStore,
  sessionCookie,
  sessionIdOf,
} from './sessions.ts';

export class Visit {
  readonly #id: string | undefined;
  readonly #hasLoggedInCookie: boolean;
  #data: SessionData;
  #hasLoggedIn = false;

  /** `id` is undefined while the store is away. */
  constructor(id: string | undefined, data: SessionData, hasLoggedInCookie: boolean) {
    this.#id = id;
    this.#data = data;
    this.#hasLoggedInCookie = hasLoggedInCookie;
  }

  get data(): SessionData {
    return this.#data;
  }

  get sessionId(): string {
    if (this.#id === undefined) throw new Error('there is no session: session-db does not answer');
    return this.#id;
  }

  /** True when this very request has logged the visitor in. */
  get hasLoggedIn(): boolean {
    return this.#hasLoggedIn;
  }

  /** From now on this visitor is that customer. */
  logIn(customerId: string): void {
    this.#data = { ...this.#data, customerId };
    this.#hasLoggedIn = true;
  }

  /** Whose cart it is: the customer's, or before they say who they are the session's. */
  get cartOwner(): string {
    return this.#hasLoggedInCookie ? (this.#data.customerId ?? this.sessionId) : this.sessionId;
  }

  /** Who is logged in: the cookie is what the browser drops to log out. */
  get customerId(): string {
    const id = this.#hasLoggedInCookie ? this.#data.customerId : undefined;
    if (id === undefined) throw new Error('User not logged in.');
    return id;
  }
}

type VisitHandler = (request: ShopRequest, visit: Visit) => ShopReply | Promise<ShopReply>;

/** Gives the handler its visit. A new session's cookie is set whatever comes of the request. */
export function visits(
  store: SessionStore,
  failed: (error: unknown, request: ShopRequest) => ShopReply,
): (handle: VisitHandler) => Handler {
  return (handle) => async (request) => {
    const cookies = cookiesOf(request.headers.cookie);
    const known = sessionIdOf(cookies);
    const id = known ?? newSessionId();
    const before = await attempt(async () => (known === undefined ? undefined : await store.get(known)));
    const visit = new Visit(before.ok ? id : undefined, (before.ok ? before.value : undefined) ?? {}, isSet(cookies));
    let reply: ShopReply;
    try {
      reply = await handle(request, visit);
    } catch (error) {
      reply = failed(error, request);
    }
    const kept = before.ok && (await attempt(() => store.set(id, visit.data))).ok;
    // Someone who is told to be logged in must be.
    if (!kept && visit.hasLoggedIn)
      return failed(new Error('the session is lost: session-db does not answer'), request);
    const isNew = known === undefined || (before.ok && before.value === undefined);
    return kept && isNew ? withCookie(reply, sessionCookie(id)) : reply;
  };
}

const isSet = (cookies: Readonly<Record<string, string>>): boolean => (cookies['logged_in'] ?? '') !== '';

/** The store may be away: the shop goes on for those who only look. The store itself has said so in the log. */
async function attempt<T>(ask: () => Promise<T>): Promise<{ ok: true; value: T } | { ok: false }> {
  try {
    return { ok: true, value: await ask() };
  } catch {
    return { ok: false };
  }
}

export function withCookie(reply: ShopReply, cookie: string): ShopReply {
  const earlier = reply.headers?.['set-cookie'] ?? [];
  return { ...reply, headers: { ...reply.headers, 'set-cookie': [...earlier, cookie].flat() } };
}
