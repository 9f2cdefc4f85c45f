// A visitor of the shop as a browser is one: with cookies, and the API that the pages call.
import type { Target } from '@varka/demo-kit/test/target.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; throws when it is none. */
  json<T>(): T;
}

export async function ask(target: Target, service: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await target.fetch(service, path, { redirect: 'manual', ...init });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: <T>() => JSON.parse(text) as T,
  };
}

export class Shopper {
  readonly #target: Target;
  readonly #cookies = new Map<string, string>();

  constructor(target: Target) {
    this.#target = target;
  }

  get cookies(): ReadonlyMap<string, string> {
    return this.#cookies;
  }

  forget(cookie: string): void {
    this.#cookies.delete(cookie);
  }

  async ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await ask(this.#target, 'front-end', path, {
      method,
      headers: {
        ...(cookie === '' ? {} : { cookie }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    for (const set of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      this.#cookies.set(name, value);
    }
    return answer;
  }

  get(path: string): Promise<Answer> {
    return this.ask('GET', path);
  }

  login(username: string, password: string): Promise<Answer> {
    const encoded = Buffer.from(`${username}:${password}`).toString('base64');
    return this.ask('GET', '/login', undefined, { authorization: `Basic ${encoded}` });
  }
}
