// The images that the chain's programs stand in for: rows for the image catalog, as plain data.
import type { DemoImage } from '@varka/demo-kit/image.ts';

const REPOSITORIES = ['varka/demo-chain', 'quay.io/nlembers/opentour'] as const;
const SERVICES = ['service-a', 'service-b', 'service-c'] as const;

export const chainImages: readonly DemoImage[] = REPOSITORIES.flatMap((repository) =>
  SERVICES.map((service) => ({
    image: `${repository}/${service}`,
    module: new URL(`./src/${service}.ts`, import.meta.url),
  })),
);
