// What the handlers of the API server share.
import { apiVersionOf } from '../kinds/kind.ts';
import type { KindRow } from '../kinds/row.ts';
import type { Logger } from '../log.ts';
import type { KubeObject } from '../object.ts';
import type { Store } from '../store/store.ts';
import type { ServiceAccountTokens } from './access/service-account-tokens.ts';
import type { AdmissionPlugin } from './admission.ts';
import type { KindRegistry } from './kind-registry.ts';
import type { PodBackend } from './pod-backend.ts';
import type { ServiceAddresses } from './service-addresses.ts';

export interface ServerContext {
  readonly store: Store;
  readonly registry: KindRegistry;
  readonly admission: readonly AdmissionPlugin[];
  readonly podBackend: PodBackend | undefined;
  readonly addresses: ServiceAddresses;
  readonly serviceAccountTokens: ServiceAccountTokens;
  readonly log: Logger;
  now(): Date;
}

/** Which objects a request is about. */
export interface Target {
  readonly row: KindRow;
  /** The version the client speaks. */
  readonly version: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

/** Kubernetes writes times to the second. */
export function timestamp(now: Date): string {
  return `${now.toISOString().slice(0, 19)}Z`;
}

/** The stored object as the client's version of it. */
export function inVersion(object: KubeObject, row: KindRow, version: string): KubeObject {
  const apiVersion = apiVersionOf({ group: row.group, version });
  if (object.apiVersion === apiVersion) return object;
  return row.view === undefined ? { ...object, apiVersion } : { ...row.view.show(object), apiVersion, kind: row.kind };
}
