// route.v3.RouteAction.RequestMirrorPolicy: copies of a request that somebody else gets too, whose answers nobody reads.
import type { RouteAction_RequestMirrorPolicy as MirrorPolicy } from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import { runtimeFraction } from './fraction.ts';
import { headerReader } from './header-match.ts';
import type { Problems } from './problems.ts';
import type { RequestView } from './request-view.ts';

export interface Mirror {
  cluster(request: RequestView): string;
  /** The share of requests that are copied, in [0, 1]. */
  readonly share: number;
  /** `-shadow` is added to the copy's Host. */
  readonly marksHost: boolean;
}

export const NO_MIRRORS: readonly Mirror[] = [];

export function compileMirrors(policies: readonly MirrorPolicy[], problems: Problems): readonly Mirror[] {
  if (policies.length === 0) return NO_MIRRORS;
  return policies.map((policy, i) => {
    const { cluster, clusterHeader } = policy;
    if ((cluster === '') === (clusterHeader === ''))
      problems.at(`request_mirror_policies[${i}]`).add('exactly one of cluster and cluster_header is needed');
    const read = headerReader(clusterHeader.toLowerCase());
    return {
      cluster: cluster === '' ? (request) => read(request) ?? '' : () => cluster,
      share: runtimeFraction(policy.runtimeFraction, 1),
      marksHost: !policy.disableShadowHostSuffixAppend,
    };
  });
}
