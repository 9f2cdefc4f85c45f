// The queue master: carries out the shipments that are queued, which here means to say so.
import { servicePort } from './web/environment.ts';
import { Broker, SHIPPING_QUEUE } from './web/queue.ts';
import { serveShop } from './web/service.ts';
import { springError, springHealth, springMissing } from './web/spring-dialect.ts';

const broker = new Broker(async (channel) => {
  await channel.consume(SHIPPING_QUEUE, (message) => {
    if (message === null) return;
    console.log(`Received shipment task: ${nameOf(message.content.toString('utf8'))}`);
    channel.ack(message);
  });
});

/** A message that is no shipment is shown as it is, and not put back: it would never become one. */
function nameOf(content: string): string {
  try {
    const shipment = JSON.parse(content) as { name?: unknown } | null;
    if (typeof shipment?.name === 'string') return shipment.name;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return content;
}

serveShop({
  name: 'queue-master',
  port: servicePort(),
  metricsPath: '/prometheus',
  failed: springError,
  missing: springMissing,
  started: (port) => console.log(`Started queue-master on port ${port}`),
  routes: [
    {
      method: 'GET',
      path: '/health',
      handle: () =>
        springHealth([
          ['queue-master', true],
          ['queue-master-rabbitmq', broker.isConnected],
        ]),
    },
  ],
});
