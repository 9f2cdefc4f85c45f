// From a cluster.v3.OutlierDetection to what is carried out: consecutive errors. Detectors that compare a host's success
// with the others' are refused when they are asked for; that Envoy has one of them on by default is passed over.
import { durationMs } from '@varka/decide/duration.ts';
import type { Problems } from '@varka/decide/problems.ts';
import type { OutlierDetection } from '@varka/xds/gen/envoy/config/cluster/v3/outlier_detection_pb.ts';
import type { OutlierDetectionSpec } from '../upstream/outlier-detection.ts';

export function compileOutlierDetection(proto: OutlierDetection, problems: Problems): OutlierDetectionSpec {
  problems.unsupported('an enforcing_success_rate other than 0', (proto.enforcingSuccessRate ?? 0) > 0);
  problems.unsupported('enforcing_failure_percentage', (proto.enforcingFailurePercentage ?? 0) > 0);
  problems.unsupported(
    'enforcing_failure_percentage_local_origin',
    (proto.enforcingFailurePercentageLocalOrigin ?? 0) > 0,
  );
  const split = proto.splitExternalLocalOriginErrors;
  problems.unsupported(
    'an enforcing_local_origin_success_rate other than 0',
    split && (proto.enforcingLocalOriginSuccessRate ?? 0) > 0,
  );
  problems.unsupported('max_ejection_time_jitter', proto.maxEjectionTimeJitter !== undefined);
  problems.unsupported('monitors', proto.monitors.length > 0);
  const ms = (value: OutlierDetection['interval'], standard: number): number =>
    value === undefined ? standard : durationMs(value);
  const intervalMs = ms(proto.interval, 10_000);
  if (intervalMs <= 0) problems.add('interval must be greater than 0');
  return {
    consecutive5xx: proto.consecutive5xx ?? 5,
    consecutiveGatewayFailure: proto.consecutiveGatewayFailure ?? 5,
    consecutiveLocalOriginFailure: proto.consecutiveLocalOriginFailure ?? 5,
    enforcing5xx: (proto.enforcingConsecutive5xx ?? 100) / 100,
    enforcingGatewayFailure: (proto.enforcingConsecutiveGatewayFailure ?? 0) / 100,
    enforcingLocalOriginFailure: (proto.enforcingConsecutiveLocalOriginFailure ?? 100) / 100,
    splitsLocalOrigin: split,
    intervalMs,
    baseEjectionMs: ms(proto.baseEjectionTime, 30_000),
    maxEjectionMs: ms(proto.maxEjectionTime, 300_000),
    maxEjectionPercent: Math.min(proto.maxEjectionPercent ?? 10, 100),
    alwaysEjectsOne: proto.alwaysEjectOneHost ?? false,
  };
}
