// Which of the user's objects a proxy's configuration was made from, read back from the metadata the compiler leaves.
import type { Metadata } from '@varka/xds/gen/envoy/config/core/v3/base_pb.ts';
import type { CompiledProxy } from '../compile/compile.ts';

/** Config URIs as `configUri` makes them. */
export function configsUsed(compiled: CompiledProxy): ReadonlySet<string> {
  const uris = new Set<string>();
  const note = (metadata: Metadata | undefined) => {
    const uri = metadata?.filterMetadata['istio']?.['config'];
    if (typeof uri === 'string') uris.add(uri);
  };
  for (const cluster of compiled.clusters) note(cluster.metadata);
  for (const listener of compiled.listeners) note(listener.metadata);
  for (const { virtualHosts } of compiled.routes)
    for (const { routes } of virtualHosts) for (const route of routes) note(route.metadata);
  return uris;
}
