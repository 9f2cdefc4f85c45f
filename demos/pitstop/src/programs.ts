// All of Pitstop's programs on one machine, without a mesh: who listens where, and how each finds the others.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AloneProgram } from '@varka/demo-kit/run-alone.ts';

import { BROKER } from './shared/broker.ts';

/** Where each listens; the broker and the mail server have a web page beside. */
export interface Ports {
  readonly webapp: number;
  readonly customermanagementapi: number;
  readonly vehiclemanagementapi: number;
  readonly workshopmanagementapi: number;
  readonly sqlserver: number;
  readonly rabbitmq: number;
  readonly 'rabbitmq-web': number;
  readonly mailserver: number;
  readonly 'mailserver-web': number;
  readonly logserver: number;
}

export const STANDARD_PORTS: Ports = {
  webapp: 7005,
  customermanagementapi: 5100,
  vehiclemanagementapi: 5000,
  workshopmanagementapi: 5200,
  sqlserver: 1433,
  rabbitmq: 5672,
  'rabbitmq-web': 15672,
  // 25 and 80 are for root only.
  mailserver: 1025,
  'mailserver-web': 4000,
  logserver: 5341,
};

const SERVED = ['webapp', 'customermanagementapi', 'vehiclemanagementapi', 'workshopmanagementapi'] as const;
const WORKERS = [
  'workshopmanagementeventhandler',
  'auditlogservice',
  'notificationservice',
  'invoiceservice',
  'timeservice',
] as const;
const CALLED = ['customermanagementapi', 'vehiclemanagementapi', 'workshopmanagementapi'] as const;
const INFRASTRUCTURE = ['sqlserver', 'rabbitmq', 'mailserver', 'logserver'] as const;

/** Those that keep something keep it in folders of their own below `directory`, which are made. */
export function programs(ports: Ports, directory: string): AloneProgram[] {
  const folder = (name: string) => {
    const path = join(directory, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const hosts = Object.fromEntries(
    [...CALLED, ...INFRASTRUCTURE].map((name) => [`${name.toUpperCase()}_HOST`, `127.0.0.1:${ports[name]}`]),
  );
  const own = (name: string, env: Record<string, string> = {}): AloneProgram => ({
    name,
    module: new URL(`./${name}.ts`, import.meta.url),
    env: { ...hosts, HOST: '127.0.0.1', ...env },
  });
  return [
    {
      name: 'sqlserver',
      module: new URL(import.meta.resolve('@varka/demo-engines/sql.ts')),
      env: { HOST: '127.0.0.1', PORT: String(ports.sqlserver), DATA_DIR: folder('sqlserver') },
    },
    {
      name: 'rabbitmq',
      module: new URL(import.meta.resolve('@varka/demo-engines/amqp.ts')),
      args: ['--management', '--management-port', String(ports['rabbitmq-web'])],
      env: {
        HOST: '127.0.0.1',
        PORT: String(ports.rabbitmq),
        DATA_DIR: folder('rabbitmq'),
        RABBITMQ_DEFAULT_USER: BROKER.user,
        RABBITMQ_DEFAULT_PASS: BROKER.password,
      },
    },
    own('mailserver', { PORT: String(ports['mailserver-web']), SMTP_PORT: String(ports.mailserver) }),
    own('logserver', { PORT: String(ports.logserver) }),
    ...SERVED.map((name) => own(name, { PORT: String(ports[name]) })),
    ...WORKERS.map((name) => own(name, name === 'auditlogservice' ? { DATA_DIR: folder(name) } : {})),
  ];
}
