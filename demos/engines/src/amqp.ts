// The AMQP engine: RabbitMQ where it is installed, a small broker of our own otherwise. `--engine` settles which.

import { Broker } from './amqp/broker.ts';
import type { Credentials } from './amqp/connection.ts';
import { credentialsFrom } from './amqp/credentials.ts';
import { managementServer } from './amqp/management.ts';
import { rabbitmqInstalled, runRabbitmq } from './amqp/rabbitmq.ts';
import { amqpServer } from './amqp/server.ts';
import { openStore } from './amqp/store.ts';
import { engineArguments, fail, listenEngine } from './engine.ts';
import { sharesMachinesPorts } from './installed.ts';

const { port, dataDirectory, flags } = engineArguments('amqp', 5672, {
  engine: 'string',
  management: 'boolean',
  'management-port': 'string',
});
let credentials: Credentials;
try {
  credentials = credentialsFrom(process.env);
} catch (error) {
  fail(`RABBITMQ_CONFIG_FILE: ${error instanceof Error ? error.message : error}`, 2);
}
const managementPort = flags['management'] === true ? Number(flags['management-port'] ?? 15_672) : undefined;
const engine = flags['engine'] ?? (rabbitmqInstalled() && !sharesMachinesPorts() ? 'rabbitmq' : 'embedded');

if (engine === 'rabbitmq') {
  await runRabbitmq({ port, managementPort, credentials, dataDirectory });
} else if (engine === 'embedded') {
  const store = dataDirectory === undefined ? undefined : openStore(dataDirectory);
  const broker = new Broker(store);
  const server = amqpServer(broker, credentials);
  listenEngine(
    server,
    port,
    (bound) => `amqp: embedded broker (AMQP 0-9-1) on :${bound}, ${dataDirectory ?? 'nothing kept'}`,
    () => broker.close(),
  );
  if (managementPort !== undefined) {
    managementServer(broker, credentials).listen(managementPort, process.env['HOST']);
  }
} else {
  fail(`--engine is "${engine}"; it must be rabbitmq or embedded`, 2);
}
