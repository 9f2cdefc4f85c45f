// Looks at all objects of a mesh together and says what will not work, before a request finds it out. Pure.
import type { KubeObject } from '@varka/kube/object.ts';
import { unsupportedFields } from '../config/unsupported-fields.ts';
import { analyzeDestinationRules } from './destination-rules.ts';
import { type Finding, type Level, refOf, type View } from './finding.ts';
import { analyzeGateways } from './gateways.ts';
import { ViewIndex } from './index-of-view.ts';
import { analyzeInjection } from './injection.ts';
import { fieldNotCarriedOut, finding } from './messages.ts';
import { analyzeVirtualServices } from './virtual-services.ts';

/** Worst first; within a level by object and path, so that equal views give equal lists. */
export function analyze(view: View): Finding[] {
  const index = new ViewIndex(view);
  return [
    ...analyzeVirtualServices(index),
    ...analyzeDestinationRules(index),
    ...analyzeGateways(index),
    ...analyzeInjection(index),
    ...notCarriedOut('VirtualService', view.virtualServices),
    ...notCarriedOut('DestinationRule', view.destinationRules),
    ...notCarriedOut('Gateway', view.gateways),
  ].toSorted(worstFirst);
}

function notCarriedOut(kind: string, objects: readonly KubeObject[] = []): Finding[] {
  return objects.flatMap((object) =>
    // The items of a list come without their kind.
    unsupportedFields({ ...object, kind }).map((path) =>
      finding(fieldNotCarriedOut, refOf(kind, object), path, { field: path }),
    ),
  );
}

const RANK: Readonly<Record<Level, number>> = { error: 0, warning: 1, info: 2 };

function worstFirst(a: Finding, b: Finding): number {
  const key = ({ object, path, code }: Finding) =>
    `${object.namespace ?? ''}/${object.kind}/${object.name}/${path}/${code}`;
  const [first, second] = [key(a), key(b)];
  return RANK[a.level] - RANK[b.level] || (first < second ? -1 : first > second ? 1 : 0);
}
