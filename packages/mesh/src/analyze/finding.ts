// What the analyzer reads and what it says.
import type { KubeObject } from '@varka/kube/object.ts';
import type { DestinationRuleObject, GatewayObject, VirtualServiceObject } from '../config/istio-types.ts';
import type { InjectionPolicy } from '../inject/injector-config.ts';
import type { PodObject } from '../inject/workload.ts';
import type { ServiceObject } from '../registry/service.ts';

/** The objects of a mesh, from wherever they come: informers, files, a test. What is left out is not there. */
export interface View {
  readonly namespaces?: readonly KubeObject[];
  readonly services?: readonly ServiceObject[];
  readonly pods?: readonly PodObject[];
  readonly virtualServices?: readonly VirtualServiceObject[];
  readonly destinationRules?: readonly DestinationRuleObject[];
  readonly gateways?: readonly GatewayObject[];
  readonly memberRolls?: readonly KubeObject[];
  /** What the injector does with a pod that says nothing; enabled when left out. */
  readonly injectionPolicy?: InjectionPolicy;
}

export type Level = 'error' | 'warning' | 'info';

export interface ObjectRef {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

export interface Finding {
  /** Istio's own code where it has one (IST…); ours otherwise (VARKA…). Never used for another meaning. */
  readonly code: string;
  readonly name: string;
  readonly level: Level;
  readonly object: ObjectRef;
  /** The field it is about, `spec.http[0].route[1].destination.subset`; '' for the object as a whole. */
  readonly path: string;
  readonly sentence: string;
  /** What comes of it. */
  readonly cause: string;
  readonly nextStep: string;
}

export function refOf(kind: string, object: KubeObject): ObjectRef {
  const { name = '', namespace } = object.metadata ?? {};
  return { kind, name, ...(namespace === undefined ? {} : { namespace }) };
}
