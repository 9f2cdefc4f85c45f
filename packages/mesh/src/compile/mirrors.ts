// A rule's mirrors as Envoy's [istio route.go, mirrors].
import type { RouteAction_RequestMirrorPolicySchema } from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import type { Destination, HttpRoute, Percent } from '../config/istio-types.ts';
import type { Snapshot } from '../snapshot.ts';
import { destinationCluster } from './destination-cluster.ts';
import type { Init } from './messages.ts';
import { fractionOf, fractionOfWhole } from './percent.ts';

type MirrorInit = Init<typeof RouteAction_RequestMirrorPolicySchema>;

/** `mirrors` goes before the older `mirror`, which has its percentage in one of three places. */
export function mirrorPolicies(
  snapshot: Snapshot,
  namespace: string,
  http: HttpRoute,
  listenPort: number,
): MirrorInit[] {
  const policy = (destination: Destination, fraction: MirrorInit['runtimeFraction']): MirrorInit => ({
    cluster: destinationCluster(snapshot, destination, namespace, listenPort),
    // Without one Envoy copies every request, but says so only for a missing fraction.
    ...(fraction === undefined ? {} : { runtimeFraction: fraction }),
    traceSampled: false,
    // The mirrored service is asked under the name it was asked under (PILOT: DISABLE_SHADOW_HOST_SUFFIX).
    disableShadowHostSuffixAppend: true,
  });
  const share = (percentage: Percent | null | undefined): MirrorInit['runtimeFraction'] =>
    percentage === undefined || percentage === null ? undefined : { defaultValue: fractionOf(percentage) };
  const isNothing = (percentage: Percent | null | undefined): boolean =>
    percentage !== undefined && percentage !== null && (percentage.value ?? 0) === 0;
  if (http.mirrors !== undefined && http.mirrors.length > 0) {
    return http.mirrors
      .filter(({ percentage }) => !isNothing(percentage))
      .map(({ destination, percentage }) => policy(destination, share(percentage)));
  }
  if (http.mirror === undefined) return [];
  const whole = http.mirrorPercent ?? http.mirror_percent;
  if (http.mirrorPercentage !== undefined && http.mirrorPercentage !== null)
    return isNothing(http.mirrorPercentage) ? [] : [policy(http.mirror, share(http.mirrorPercentage))];
  if (whole === undefined || whole === null) return [policy(http.mirror, undefined)];
  return whole === 0 ? [] : [policy(http.mirror, { defaultValue: fractionOfWhole(whole) })];
}
