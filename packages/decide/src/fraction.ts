// type.v3.FractionalPercent and what is drawn against it.
import type { RuntimeFractionalPercent } from '@varka/xds/gen/envoy/config/core/v3/base_pb.ts';
import { type FractionalPercent, FractionalPercent_DenominatorType } from '@varka/xds/gen/envoy/type/v3/percent_pb.ts';

/** As a number in [0, 1]. */
export function fraction(percent: FractionalPercent): number {
  switch (percent.denominator) {
    case FractionalPercent_DenominatorType.MILLION:
      return Math.min(percent.numerator / 1e6, 1);
    case FractionalPercent_DenominatorType.TEN_THOUSAND:
      return Math.min(percent.numerator / 1e4, 1);
    default:
      return Math.min(percent.numerator / 100, 1);
  }
}

/** There is no runtime here, so its key never overrides the default; `absent` is what no fraction at all means. */
export function runtimeFraction(percent: RuntimeFractionalPercent | undefined, absent: number): number {
  const value = percent?.defaultValue;
  return value === undefined ? absent : fraction(value);
}

/** Whether a draw in [0, 1) falls into `share`; none is made when it could not decide anything. */
export function happens(share: number, draw: () => number): boolean {
  return share >= 1 || (share > 0 && draw() < share);
}
