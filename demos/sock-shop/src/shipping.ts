// The shipping service: takes a shipment and queues it for whoever carries it out.
import { randomUUID } from 'node:crypto';
import { servicePort } from './web/environment.ts';
import { Broker } from './web/queue.ts';
import { json, type ShopReply, serveShop, text } from './web/service.ts';
import { springError, springHealth, springMissing } from './web/spring-dialect.ts';

const broker = new Broker();

function ship(body: Readonly<Record<string, unknown>>): ShopReply {
  const shipment = { id: text(body['id']) || randomUUID(), name: text(body['name']) };
  // The customer has paid: the order goes through even when the broker is away.
  if (broker.send(JSON.stringify(shipment))) console.log(`queued shipment ${shipment.id}`);
  else console.error(`rabbitmq is away: shipment ${shipment.id} is accepted, but nobody will hear of it`);
  return json(201, shipment);
}

const plain = (body: string): ShopReply => ({ status: 200, headers: { 'content-type': 'text/plain' }, body });

serveShop({
  name: 'shipping',
  port: servicePort(),
  failed: springError,
  missing: springMissing,
  started: (port) => console.log(`Started shipping on port ${port}`),
  routes: [
    { method: 'POST', path: '/shipping', handle: async (request) => ship(await request.json()) },
    { method: 'GET', path: '/shipping', handle: () => plain('GET ALL Shipping Resource.') },
    {
      method: 'GET',
      path: '/shipping/:id',
      handle: ({ params }) => plain(`GET Shipping Resource with id: ${params['id']}`),
    },
    {
      method: 'GET',
      path: '/health',
      handle: () =>
        springHealth([
          ['shipping', true],
          ['shipping-rabbitmq', broker.isConnected],
        ]),
    },
  ],
});
