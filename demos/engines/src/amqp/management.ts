// The visible part of RabbitMQ's management plugin: what queues there are, as a page and as JSON.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Broker } from './broker.ts';
import { BROKER_VERSION, type Credentials } from './connection.ts';
import type { Queue } from './queue.ts';

export function managementServer(broker: Broker, credentials: Credentials): Server {
  const expected = `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}`;
  return createServer((request, response) => {
    request.resume();
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    if (request.headers.authorization !== expected) {
      return answer(
        response,
        401,
        'application/json',
        JSON.stringify({ error: 'not_authorised', reason: 'Login failed' }),
        {
          'www-authenticate': 'Basic realm="RabbitMQ Management"',
        },
      );
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') return notFound(request, response);
    switch (path) {
      case '/':
        return answer(response, 200, 'text/html; charset=utf-8', page(broker));
      case '/api/overview':
        return answer(response, 200, 'application/json', JSON.stringify(overview(broker)));
      case '/api/queues':
      case '/api/queues/%2F':
        return answer(response, 200, 'application/json', JSON.stringify([...broker.queues.values()].map(queueJson)));
      default:
        return notFound(request, response);
    }
  });
}

function notFound(_: IncomingMessage, response: ServerResponse): void {
  answer(response, 404, 'application/json', JSON.stringify({ error: 'Object Not Found', reason: 'Not Found' }));
}

function answer(response: ServerResponse, status: number, type: string, body: string, headers = {}): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), ...headers });
  response.end(body);
}

function queueJson(queue: Queue) {
  return {
    name: queue.name,
    vhost: '/',
    durable: queue.options.durable,
    auto_delete: queue.options.autoDelete,
    exclusive: queue.options.exclusive,
    arguments: {},
    state: 'running',
    consumers: queue.consumers.length,
    messages: queue.length + queue.unacked,
    messages_ready: queue.length,
    messages_unacknowledged: queue.unacked,
  };
}

function overview(broker: Broker) {
  const queues = [...broker.queues.values()].map(queueJson);
  const sum = (pick: (queue: ReturnType<typeof queueJson>) => number): number =>
    queues.reduce((total, queue) => total + pick(queue), 0);
  return {
    rabbitmq_version: BROKER_VERSION,
    product_name: 'Varka demo broker',
    cluster_name: 'varka',
    queue_totals: {
      messages: sum(({ messages }) => messages),
      messages_ready: sum(({ messages_ready }) => messages_ready),
      messages_unacknowledged: sum(({ messages_unacknowledged }) => messages_unacknowledged),
    },
    message_stats: { publish: broker.published },
    object_totals: {
      queues: queues.length,
      exchanges: broker.exchanges.size,
      consumers: sum(({ consumers }) => consumers),
    },
  };
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function page(broker: Broker): string {
  const rows = [...broker.queues.values()]
    .map(queueJson)
    .map(
      (queue) =>
        `<tr><td>${escapeHtml(queue.name)}<td>${queue.durable ? 'D' : ''}${queue.auto_delete ? ' AD' : ''}${queue.exclusive ? ' Excl' : ''}` +
        `<td>${queue.consumers}<td>${queue.messages_ready}<td>${queue.messages_unacknowledged}<td>${queue.messages}`,
    );
  const body =
    rows.length === 0
      ? '<p>No queues.</p>'
      : `<table><tr><th>Name<th>Features<th>Consumers<th>Ready<th>Unacked<th>Total${rows.join('')}</table>`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5"><title>Queues</title>
<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222}
h1{font-size:1.4rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .8rem;border-bottom:1px solid #ddd}
th{background:#f4f4f4}td:nth-child(n+3),th:nth-child(n+3){text-align:right}</style>
<h1>Queues</h1>${body}
<p>Varka demo broker: the queues and their counts; the rest of RabbitMQ's management pages is not here.</p></html>
`;
}
