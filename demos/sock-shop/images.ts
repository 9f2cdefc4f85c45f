// The images that the shop's programs stand in for: rows for the image catalog, as plain data.
import type { DemoImage } from '@varka/demo-kit/image.ts';

const OURS = 'varka/demo-sock-shop';
const THEIRS = 'weaveworksdemos';

const program = (file: string): URL => new URL(`./src/${file}`, import.meta.url);
const engine = (name: string): URL => new URL(import.meta.resolve(`@varka/demo-engines/${name}.ts`));

/** What manifests and `kubectl exec` call the programs of the original's images, in Go and in Java. */
const GO_COMMAND = { '/app': [], '/user': [] };
const JAVA_COMMAND = { '/usr/local/bin/java.sh': [], java: [] };

const services = [
  { name: 'catalogue', module: program('catalogue/main.ts'), commands: GO_COMMAND },
  { name: 'payment', module: program('payment.ts'), commands: GO_COMMAND },
  { name: 'user', module: program('user/main.ts'), commands: GO_COMMAND },
  { name: 'carts', module: program('carts.ts'), commands: JAVA_COMMAND },
  { name: 'orders', module: program('orders/main.ts'), commands: JAVA_COMMAND },
  { name: 'shipping', module: program('shipping.ts'), commands: JAVA_COMMAND },
  { name: 'queue-master', module: program('queue-master.ts'), commands: JAVA_COMMAND },
] as const;

const frontEnd = { module: program('front-end/main.ts') };
const redFrontEnd = { ...frontEnd, env: { BUTTONS: 'red' } };

const database = (port: number) => ({ module: engine('sql'), args: ['--port', String(port)], keepsData: true });
const MYSQL_PORT = 3306;
const MONGO_PORT = 27017;

export const sockShopImages: readonly DemoImage[] = [
  ...services.flatMap(({ name, module, commands }) =>
    [OURS, THEIRS].map((repository) => ({ image: `${repository}/${name}`, module, commands })),
  ),
  // The colour of the buttons is what tells the releases apart.
  { image: `${OURS}/front-end`, ...frontEnd },
  { image: `${OURS}/front-end`, tags: ['2.0'], ...redFrontEnd },
  { image: `${THEIRS}/front-end`, ...frontEnd },
  { image: `${THEIRS}/front-end`, tags: ['red-buttons'], ...redFrontEnd },
  { image: `${OURS}/catalogue-db`, ...database(MYSQL_PORT) },
  { image: `${THEIRS}/catalogue-db`, ...database(MYSQL_PORT) },
  { image: `${OURS}/carts-db`, ...database(MONGO_PORT) },
  { image: `${OURS}/orders-db`, ...database(MONGO_PORT) },
  { image: `${OURS}/user-db`, ...database(MONGO_PORT) },
  { image: `${THEIRS}/user-db`, ...database(MONGO_PORT) },
  { image: `${OURS}/session-db`, module: engine('redis'), keepsData: true },
  // RabbitMQ itself, where it is installed, takes longer to start than all the rest together.
  {
    image: `${OURS}/rabbitmq`,
    module: engine('amqp'),
    args: ['--management', '--engine', 'embedded'],
    keepsData: true,
  },
  { image: `${OURS}/rabbitmq-exporter`, module: engine('rabbitmq-exporter') },
];
