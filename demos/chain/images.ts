// The images that the chain's programs stand in for: rows for the image catalog, as plain data.

export interface DemoImage {
  /** The image's repository, without tag. */
  readonly image: string;
  /** The program, to be run by Node. */
  readonly module: URL;
}

const REPOSITORIES = ['varka/demo-chain', 'quay.io/nlembers/opentour'] as const;
const SERVICES = ['service-a', 'service-b', 'service-c'] as const;

export const chainImages: readonly DemoImage[] = REPOSITORIES.flatMap((repository) =>
  SERVICES.map((service) => ({
    image: `${repository}/${service}`,
    module: new URL(`./src/${service}.ts`, import.meta.url),
  })),
);
