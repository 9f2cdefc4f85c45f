// rabbitmq-exporter's place: the broker's counts as Prometheus metrics, read from the management API of the same pod.
import { createServer } from 'node:http';
import { listen, portFromEnvironment } from '@varka/demo-kit/serve.ts';

const RABBIT_URL = process.env['RABBIT_URL'] ?? 'http://127.0.0.1:15672';
const AUTHORIZATION = `Basic ${Buffer.from(
  `${process.env['RABBIT_USER'] ?? 'guest'}:${process.env['RABBIT_PASSWORD'] ?? 'guest'}`,
).toString('base64')}`;
const TIMEOUT_MS = 2000;

/** Metric names and help texts as kbudde/rabbitmq-exporter has them. */
const QUEUE_METRICS = [
  ['rabbitmq_queue_messages', 'messages', 'Sum of ready and unacknowledged messages (queue depth).'],
  ['rabbitmq_queue_messages_ready', 'messages_ready', 'Number of messages ready to be delivered to clients.'],
  [
    'rabbitmq_queue_messages_unacknowledged',
    'messages_unacknowledged',
    'Number of messages delivered to clients but not yet acknowledged.',
  ],
  ['rabbitmq_queue_consumers', 'consumers', 'Number of consumers.'],
] as const;

interface QueueCounts {
  readonly name: string;
  readonly vhost: string;
  readonly [count: string]: string | number | boolean | object;
}

async function queues(): Promise<QueueCounts[] | undefined> {
  try {
    const response = await fetch(`${RABBIT_URL}/api/queues`, {
      headers: { authorization: AUTHORIZATION },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.ok) return (await response.json()) as QueueCounts[];
    console.error(`${RABBIT_URL}/api/queues answers ${response.status}`);
  } catch (error) {
    console.error(`can't read ${RABBIT_URL}/api/queues: ${error instanceof Error ? error.message : error}`);
  }
  return undefined;
}

function metrics(counts: readonly QueueCounts[] | undefined): string {
  const lines = [
    '# HELP rabbitmq_up Was the last scrape of rabbitmq successful.',
    '# TYPE rabbitmq_up gauge',
    `rabbitmq_up ${counts === undefined ? 0 : 1}`,
  ];
  for (const [metric, field, help] of counts === undefined ? [] : QUEUE_METRICS) {
    lines.push(`# HELP ${metric} ${help}`, `# TYPE ${metric} gauge`);
    for (const queue of counts ?? []) {
      lines.push(
        `${metric}{queue=${JSON.stringify(queue.name)},vhost=${JSON.stringify(queue.vhost)}} ${queue[field] ?? 0}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

const server = createServer((request, response) => {
  request.resume();
  const send = (status: number, type: string, body: string): void => {
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
  const path = (request.url ?? '/').split('?', 1)[0];
  if (path === '/metrics') {
    queues().then(
      (counts) => send(200, 'text/plain; version=0.0.4', metrics(counts)),
      (error) => send(500, 'text/plain', String(error)),
    );
  } else if (path === '/health') {
    send(200, 'text/plain', 'ok\n');
  } else {
    send(404, 'text/plain', 'the metrics are at /metrics\n');
  }
});
const standard = Number(process.env['PUBLISH_PORT'] ?? 9090);
listen(server, portFromEnvironment(standard), (port) =>
  console.log(`rabbitmq-exporter on :${port}, reading ${RABBIT_URL}`),
);
