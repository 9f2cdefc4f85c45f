// Sessions in Redis, shared by all instances of the front end.
import { createClient } from '@redis/client';
import { ConnectionLog } from '../web/connection-log.ts';
import { endpoint } from '../web/environment.ts';
import { SESSION_SECONDS, type SessionData, type SessionStore } from './sessions.ts';

const TIMEOUT_MS = 1_000;
const LAST_RETRY_MS = 1_000;

/** Connects on its own, and again when the connection is lost; meanwhile every call fails at once. */
export function redisSessions(): SessionStore {
  const { host, port } = endpoint('session-db', 6379);
  const log = new ConnectionLog('session-db');
  const client = createClient({
    socket: {
      host,
      port,
      connectTimeout: TIMEOUT_MS,
      reconnectStrategy: (tries) => Math.min(tries * 100, LAST_RETRY_MS),
    },
    disableOfflineQueue: true,
    commandOptions: { timeout: TIMEOUT_MS },
  });
  client.on('error', (error: Error) => log.failed(error));
  client.on('ready', () => log.connected());
  client.connect().catch((error: unknown) => log.failed(error));
  const key = (id: string) => `sess:${id}`;
  return {
    async get(id) {
      const text = await client.get(key(id));
      return text === null ? undefined : parse(text);
    },
    async set(id, data) {
      await client.set(key(id), JSON.stringify(data), { expiration: { type: 'EX', value: SESSION_SECONDS } });
    },
  };
}

function parse(text: string): SessionData {
  try {
    const { customerId } = JSON.parse(text) as { customerId?: unknown };
    return typeof customerId === 'string' ? { customerId } : {};
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return {};
    throw error;
  }
}
