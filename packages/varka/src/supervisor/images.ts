// The image catalog of this machine: the proxy, the demos, and what the user's varka.yaml says.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chainImages } from '@varka/demo-chain/images.ts';
import { engineImages } from '@varka/demo-engines/images.ts';
import { helloImages } from '@varka/demo-hello/images.ts';
import type { DemoImage } from '@varka/demo-kit/image.ts';
import { pitstopImages } from '@varka/demo-pitstop/images.ts';
import { relayImages } from '@varka/demo-relay/images.ts';
import { sockShopImages } from '@varka/demo-sock-shop/images.ts';
import { toolImages } from '@varka/demo-tools/images.ts';
import type { CatalogEntry } from '@varka/node/images/image-catalog.ts';
import { SIDECAR_VARIABLE } from '@varka/node/loopback/loopback-sandbox.ts';
import { compileCacheDirectory } from './compile-cache.ts';
import { PRELOAD_ENTRY, PROXY_ENTRY } from './program-bundle.ts';

/** Istio's own names for its proxy, so that manifests made for Istio find ours. */
const PROXY_IMAGES = ['varka/proxyv2', 'docker.io/istio/proxyv2', 'istio/proxyv2'];
/** Each demo lists the images that its programs stand in for. */
const DEMOS: readonly DemoImage[] = [
  ...chainImages,
  ...engineImages,
  ...helloImages,
  ...pitstopImages,
  ...relayImages,
  ...toolImages,
  ...sockShopImages,
];
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning'];
/** MiB for each half of the young generation: under load a sidecar then keeps its idle size, at no measurable cost in CPU. */
const PROXY_NODE = [...NODE, '--max-semi-space-size=2'];

/** The modules that are programs of ours. */
export function programEntries(): string[] {
  return [...new Set([PROXY_ENTRY, PRELOAD_ENTRY, ...DEMOS.map(({ module }) => fileURLToPath(module))])];
}

export function catalogEntries(
  userEntries: readonly CatalogEntry[],
  /** The bundle's path by its entry's. */
  bundles: Readonly<Record<string, string>>,
  cache: string,
): CatalogEntry[] {
  const env = { NODE_COMPILE_CACHE: compileCacheDirectory(cache) };
  const bundleOf = (entry: string): string => {
    const bundle = bundles[entry];
    if (bundle === undefined) throw new Error(`${entry} was not bundled`);
    return bundle;
  };
  const proxy = PROXY_IMAGES.map((image) => ({
    image,
    program: { entrypoint: [...PROXY_NODE, bundleOf(PROXY_ENTRY)], env: { ...env, [SIDECAR_VARIABLE]: '1' } },
  }));
  const demos = DEMOS.map(({ image, module, args = [], commands = {}, keepsData = false, ...row }) => {
    const path = fileURLToPath(module);
    const argv = [...NODE, bundleOf(path)];
    return {
      image,
      ...(row.tags === undefined ? {} : { tags: row.tags }),
      program: {
        entrypoint: [...argv, ...args],
        env: { ...env, ...row.env },
        workingDir: dirname(path),
        commands: Object.fromEntries(Object.entries(commands).map(([name, words]) => [name, [...argv, ...words]])),
        keepsData,
      },
      standsIn: true,
    };
  });
  // Of two rows that fit equally well the catalog takes the later one: the user's over ours.
  return [...proxy, ...demos, ...userEntries];
}
