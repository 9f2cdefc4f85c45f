// Where others may change or refuse an object before it is stored (Kubernetes: admission plugins and webhooks).
import type { KindRef } from '../kinds/kind.ts';
import type { KubeObject } from '../object.ts';

export interface AdmissionRequest {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly kind: KindRef;
  readonly namespace?: string;
  /** The object as it would be stored: defaulted and schema-checked. For DELETE, the stored one. */
  readonly object: KubeObject;
  readonly oldObject?: KubeObject;
}

export type AdmissionResponse =
  | { readonly allowed: true; readonly object?: KubeObject; readonly warnings?: readonly string[] }
  | { readonly allowed: false; readonly message: string };

export interface AdmissionPlugin {
  readonly name: string;
  admit(request: AdmissionRequest): AdmissionResponse | Promise<AdmissionResponse>;
}
