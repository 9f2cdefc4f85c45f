// The images of servers that several demos' manifests name: rows for the image catalog, as plain data.
import type { DemoImage } from '@varka/demo-kit/image.ts';

export const engineImages: readonly DemoImage[] = [
  {
    image: 'rabbitmq',
    module: new URL('./src/amqp.ts', import.meta.url),
    args: ['--management'],
    keepsData: true,
  },
];
