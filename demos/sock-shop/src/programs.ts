// The shop's programs for running without a mesh: what they are called, where they listen, how they find each other.
import type { AloneProgram } from '@varka/demo-kit/run-alone.ts';

/** The front ends' are those that people open; the others are out of the way. */
export const STANDARD_PORTS = {
  'front-end': 8079,
  'front-end-v2': 8080,
  catalogue: 18081,
  carts: 18082,
  orders: 18083,
  user: 18084,
  payment: 18085,
  shipping: 18086,
  'queue-master': 18087,
  'catalogue-db': 18181,
  'carts-db': 18182,
  'orders-db': 18183,
  'user-db': 18184,
  'session-db': 18179,
  rabbitmq: 18172,
} as const;

export type ProgramName = keyof typeof STANDARD_PORTS;
export type Ports = Readonly<Record<ProgramName, number>>;

const LOCAL = '127.0.0.1';

const ENGINES = {
  'catalogue-db': 'sql',
  'carts-db': 'sql',
  'orders-db': 'sql',
  'user-db': 'sql',
  'session-db': 'redis',
  rabbitmq: 'amqp',
} as const;

const SERVICES = {
  catalogue: 'catalogue/main.ts',
  carts: 'carts.ts',
  orders: 'orders/main.ts',
  user: 'user/main.ts',
  payment: 'payment.ts',
  shipping: 'shipping.ts',
  'queue-master': 'queue-master.ts',
  'front-end': 'front-end/main.ts',
  'front-end-v2': 'front-end/main.ts',
} as const;

/** The engines first; the order does not matter to them. Nothing is kept when they end. */
export function programs(ports: Ports): AloneProgram[] {
  const hosts = Object.fromEntries(
    Object.entries(ports).map(([name, port]) => [
      `${name.toUpperCase().replaceAll('-', '_')}_HOST`,
      `${LOCAL}:${port}`,
    ]),
  );
  const at = (name: ProgramName) => ({ HOST: LOCAL, PORT: String(ports[name]) });
  const engines = entriesOf(ENGINES).map(([name, engine]) => ({
    name,
    module: new URL(import.meta.resolve(`@varka/demo-engines/${engine}.ts`)),
    env: at(name),
  }));
  const services = entriesOf(SERVICES).map(([name, file]) => ({
    name,
    module: new URL(file, import.meta.url),
    env: {
      ...hosts,
      ...at(name),
      USER_LINK_HOST: `${LOCAL}:${ports.user}`,
      SESSION_REDIS: 'true',
      BUTTONS: name === 'front-end-v2' ? 'red' : 'blue',
    },
  }));
  return [...engines, ...services];
}

function entriesOf<T extends object>(record: T): [keyof T, T[keyof T]][] {
  return Object.entries(record) as [keyof T, T[keyof T]][];
}
