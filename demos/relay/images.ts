// The images that the relay's programs stand in for: rows for the image catalog, as plain data.
import type { DemoImage } from '@varka/demo-kit/image.ts';

const relay = new URL('./src/relay.ts', import.meta.url);

export const relayImages: readonly DemoImage[] = [
  ...['varka/demo-relay', 'nenadilic84/istiotest', 'gcr.io/*/istiotest'].map((image) => ({ image, module: relay })),
  { image: 'varka/demo-relay/clock', module: new URL('./src/clock.ts', import.meta.url) },
  ...(['simple', 'full'] as const).map((kind) => ({
    image: `gcr.io/*/istio-opencensus-${kind}`,
    module: relay,
    args: [kind],
  })),
];
