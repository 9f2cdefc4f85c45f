// meta/v1 LabelSelector and the plain maps of Services, as predicates on labels.
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';

type Labels = Record<string, string> | undefined;

/** Everything in the map must be there with that value. */
export function matchesLabels(wanted: Record<string, string>, labels: Labels): boolean {
  return Object.entries(wanted).every(([name, value]) => labels?.[name] === value);
}

/** An absent selector selects nothing, an empty one everything (LabelSelector's own words). */
export function selectorOf(selector: LabelSelector | undefined): (labels: Labels) => boolean {
  if (selector === undefined) return () => false;
  return (labels) =>
    matchesLabels(selector.matchLabels ?? {}, labels) &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = labels?.[key];
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        case 'Exists':
          return value !== undefined;
        case 'DoesNotExist':
          return value === undefined;
        default:
          return false;
      }
    });
}
