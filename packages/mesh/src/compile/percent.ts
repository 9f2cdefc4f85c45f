// Istio's percentages as Envoy's fractions [istio route.go translatePercentToFractionalPercent].
import {
  FractionalPercent_DenominatorType,
  type FractionalPercentSchema,
} from '@varka/xds/gen/envoy/type/v3/percent_pb.ts';
import type { Percent } from '../config/istio-types.ts';
import type { Init } from './messages.ts';

type FractionInit = Init<typeof FractionalPercentSchema>;

/** To a ten-thousandth of a per cent. */
export function fractionOf({ value = 0 }: Percent): FractionInit {
  return { numerator: Math.round(value * 10_000), denominator: FractionalPercent_DenominatorType.MILLION };
}

/** The deprecated whole numbers. */
export function fractionOfWhole(percent: number): FractionInit {
  return { numerator: percent, denominator: FractionalPercent_DenominatorType.HUNDRED };
}
