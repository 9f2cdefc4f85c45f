// The payment service: says yes to what is not too much.
import { servicePort } from './web/environment.ts';
import { goError, goHealth, goMissing, logged } from './web/go-dialect.ts';
import { json, RequestError, type ShopReply, serveShop } from './web/service.ts';

/** In the shop's currency; `-decline=105` sets another. */
const DECLINE_OVER = Number(
  process.argv.map((word) => /^--?decline=(\d+(?:\.\d+)?)$/.exec(word)?.[1]).findLast(Boolean) ?? 100,
);

async function authorise(body: Readonly<Record<string, unknown>>): Promise<ShopReply> {
  const amount = body['amount'];
  return json(
    200,
    await logged(
      { method: 'Authorise' },
      async () => {
        if (typeof amount !== 'number' || !(amount > 0)) throw new RequestError(500, 'Invalid payment amount');
        return amount <= DECLINE_OVER
          ? { authorised: true, message: 'Payment authorised' }
          : { authorised: false, message: `Payment declined: amount exceeds ${DECLINE_OVER.toFixed(2)}` };
      },
      (result) => ({ result: result.authorised }),
    ),
  );
}

serveShop({
  name: 'payment',
  port: servicePort(),
  failed: goError,
  missing: goMissing,
  started: (port) => console.log(`transport=HTTP port=:${port}`),
  routes: [
    { method: 'POST', path: '/paymentAuth', handle: async (request) => authorise(await request.json()) },
    { method: 'GET', path: '/health', handle: () => goHealth([['payment', true]]) },
  ],
});
