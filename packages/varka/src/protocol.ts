// What the front (in the host's network) and the supervisor (in the cluster's) tell each other over their IPC channel,
// and what the control socket answers. Plain data only.
import type { CatalogEntry, ImageProgram } from '@varka/node/images/image-catalog.ts';
import type { Problem } from './errors.ts';
import type { Published } from './front/listeners.ts';
import type { Privilege } from './front/namespaces.ts';
import type { ManifestDocument } from './manifests/read.ts';
import type { Profile } from './profile.ts';

/** One step of starting or stopping. A step begins, may be updated, and ends done or failed. */
export type ProgressEvent =
  | { readonly kind: 'begin'; readonly step: string; readonly label: string }
  | { readonly kind: 'update'; readonly step: string; readonly label: string }
  | { readonly kind: 'done'; readonly step: string; readonly label: string; readonly ms: number }
  | { readonly kind: 'failed'; readonly step: string; readonly label: string }
  | { readonly kind: 'note'; readonly label: string }
  | { readonly kind: 'problem'; readonly problem: Problem };

export interface SupervisorConfig {
  readonly profile: Profile;
  readonly ports: Readonly<Record<Published, number>>;
  readonly sandbox: SandboxConfig;
  readonly documents: readonly ManifestDocument[];
  /** Where objects without a namespace go. */
  readonly namespace: string;
  readonly images: readonly CatalogEntry[];
  /** `podman` or `docker`: who keeps images on the host, where one is installed and pods can have an image's files. */
  readonly engine: string | undefined;
  /** How long to wait for the applied Deployments. */
  readonly waitSeconds: number;
  /** `127.77.5`: what the addresses of this profile's load balancers begin with; none where 127.0.0.1 is all there is. */
  readonly loadBalancers: string | undefined;
}

/** Why a port of the host cannot be listened on: the system's code (EADDRINUSE, EACCES, …) and its words. */
export interface ListenRefusal {
  readonly code: string;
  readonly message: string;
}

/** Where pods are to be made. */
export type SandboxConfig =
  | { readonly kind: 'netns'; readonly privilege: Privilege }
  /** `directory` is the network: short, empty, and this user's alone. */
  | { readonly kind: 'loopback'; readonly directory: string };

export type QueryName = 'status' | 'syncz';

export type EngineQuestion = 'find' | 'pull';

export type ToSupervisor =
  /** With a listening socket: one of `Published`, or one that was asked for. */
  | { readonly type: 'listener'; readonly name: string }
  | { readonly type: 'no-listener'; readonly name: string; readonly refusal: ListenRefusal }
  | { readonly type: 'start'; readonly config: SupervisorConfig }
  | { readonly type: 'query'; readonly id: number; readonly query: QueryName }
  /** The host's container engine has answered: with what it found, or why it could not. */
  | { readonly type: 'engine'; readonly id: number; readonly program?: ImageProgram; readonly error?: string }
  /** What varka.yaml lists has changed. */
  | { readonly type: 'images'; readonly images: readonly CatalogEntry[] }
  | { readonly type: 'stop' };

export type FromSupervisor =
  /** Asks the host's container engine for an image, or to fetch it. */
  | { readonly type: 'engine'; readonly id: number; readonly ask: EngineQuestion; readonly image: string }
  /** Asks for a socket in the host's network. */
  | { readonly type: 'listen'; readonly name: string; readonly host: string; readonly port: number }
  | { readonly type: 'progress'; readonly event: ProgressEvent }
  | {
      readonly type: 'ready' /** A path that a gateway routes, to try with curl. */;
      readonly tryPath: string | undefined;
      readonly complete: boolean;
    }
  | { readonly type: 'answer'; readonly id: number; readonly body: unknown }
  | { readonly type: 'refused'; readonly id: number; readonly message: string }
  | { readonly type: 'fatal'; readonly problem: Problem };

export interface PodStatus {
  readonly namespace: string;
  readonly name: string;
  /** `2/2`. */
  readonly ready: string;
  readonly phase: string;
  readonly restarts: number;
  readonly ip: string;
  /** Why it is not ready, as kubectl's STATUS column would say. */
  readonly reason: string;
  /** What somebody has to change before it gets ready; absent when nothing is known to. */
  readonly stuck?: string;
}

export type SyncState = 'SYNCED' | 'STALE' | 'NOT SENT' | 'ERROR';

export interface ProxyStatus {
  /** `pod.namespace`. */
  readonly name: string;
  readonly cds: SyncState;
  readonly lds: SyncState;
  readonly eds: SyncState;
  readonly rds: SyncState;
  readonly version: string;
}

export interface FindingStatus {
  readonly code: string;
  readonly level: string;
  /** `VirtualService default/service-c`. */
  readonly object: string;
  readonly message: string;
}

/** One port of a Service that the host reaches, or should. */
export interface EntranceStatus {
  readonly namespace: string;
  readonly service: string;
  readonly type: 'NodePort' | 'LoadBalancer';
  /** Name of the Service's port, or its number. */
  readonly port: string;
  /** `127.0.0.1:30080` */
  readonly address: string;
  /** Why nothing listens there. */
  readonly error?: string;
}

/** What the supervisor knows. */
export interface MeshStatus {
  readonly pods: readonly PodStatus[];
  readonly entrances: readonly EntranceStatus[];
  readonly proxies: readonly ProxyStatus[];
  readonly findings: readonly FindingStatus[];
}

export type Phase = 'starting' | 'ready' | 'incomplete' | 'stopping';

export interface StatusDocument extends MeshStatus {
  readonly profile: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly phase: Phase;
  readonly version: string;
  readonly kubeconfig: string;
  readonly api: string;
  readonly gateway: { readonly http: string; readonly https: string };
  readonly sandbox: SandboxConfig['kind'];
  /** As whom, in namespaces. */
  readonly privilege?: Privilege;
}
