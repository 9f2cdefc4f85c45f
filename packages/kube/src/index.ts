// What most users of this package want; everything else is imported by its file.
export type { Credentials } from './credentials/credentials.ts';
export { loadOrCreateCredentials } from './credentials/credentials.ts';
export { writeKubeconfig } from './credentials/kubeconfig-file.ts';
export type { AdmissionPlugin, AdmissionRequest, AdmissionResponse } from './server/admission.ts';
export type { ApiServerOptions, ListenTarget } from './server/api-server.ts';
export { ApiServer } from './server/api-server.ts';
export type { PodBackend, PodLogOptions } from './server/pod-backend.ts';
export { isStatus, StatusError } from './status-error.ts';
export { Store } from './store/store.ts';
export { StoreError } from './store/store-error.ts';
