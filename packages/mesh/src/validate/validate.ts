// What is wrong with an Istio object's meaning: every error and every warning, each with the path it is about.
import type { KubeObject } from '@varka/kube/object.ts';
import { checkDestinationRule } from './destination-rule.ts';
import { checkExecutable } from './executable.ts';
import { checkGateway } from './gateway.ts';
import { Place } from './report.ts';
import { checkVirtualService } from './virtual-service.ts';

export interface Validation {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** Objects of other kinds have nothing wrong with them here. */
export function validate(object: KubeObject): Validation {
  const report = { errors: [] as string[], warnings: [] as string[] };
  const spec = new Place(object['spec'], 'spec', report);
  switch (object.kind) {
    case 'VirtualService':
      checkVirtualService(spec);
      if (report.errors.length === 0) checkExecutable(object, spec.field('http').items());
      break;
    case 'DestinationRule':
      checkDestinationRule(spec);
      break;
    case 'Gateway':
      // metadata.generateName has become a name by the time an object is admitted.
      checkGateway(new Place(object.metadata?.name, 'metadata.name', report), spec);
      break;
  }
  return report;
}
