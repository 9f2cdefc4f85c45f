// The images of servers that several demos' manifests name: rows for the image catalog, as plain data.
import type { DemoImage } from '@varka/demo-kit/image.ts';

const engine = (name: string) => new URL(`./src/${name}.ts`, import.meta.url);

export const engineImages: readonly DemoImage[] = [
  { image: 'rabbitmq', module: engine('amqp'), args: ['--management'], keepsData: true },
  { image: 'kbudde/rabbitmq-exporter', module: engine('rabbitmq-exporter') },
  { image: 'redis', module: engine('redis'), keepsData: true },
  // Not MongoDB's protocol: the demos' services keep their documents in the SQL engine, under MongoDB's name and port.
  { image: 'mongo', module: engine('sql'), args: ['--port', '27017'], keepsData: true },
];
