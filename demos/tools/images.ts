// The images that the tools stand in for: rows for the image catalog, as plain data.
import type { DemoImage } from '@varka/demo-kit/image.ts';

const module = (file: string): URL => new URL(`./src/${file}`, import.meta.url);

const FORTIO = ['load', 'curl', 'server', 'version'];

export const toolImages: readonly DemoImage[] = [
  {
    image: 'fortio/fortio',
    module: module('fortio.ts'),
    args: ['server'],
    commands: {
      ...Object.fromEntries(['fortio', '/usr/bin/fortio', '/usr/local/bin/fortio'].map((name) => [name, []])),
      // What newer clients leave of `kubectl exec POD /usr/bin/fortio -- load …`.
      ...Object.fromEntries(FORTIO.map((name) => [name, [name]])),
    },
  },
  ...['curlimages/curl', 'governmentpaas/curl-ssl'].map((image) => ({
    image,
    module: module('curl.ts'),
    commands: { curl: [], '/usr/bin/curl': [] },
  })),
  {
    image: 'weaveworksdemos/load-test',
    module: module('shop-load.ts'),
    commands: Object.fromEntries(['/bin/sh', 'sh', 'locust'].map((name) => [name, []])),
  },
  { image: 'varka/demo-tools/pitstop-load', module: module('pitstop-load.ts') },
];
