// The built-in kinds with their fields typed, as the controllers and the node agent read and write them.
import type * as apps from 'kubernetes-types/apps/v1.d.ts';
import type * as batch from 'kubernetes-types/batch/v1.d.ts';
import type * as core from 'kubernetes-types/core/v1.d.ts';
import type * as discovery from 'kubernetes-types/discovery/v1.d.ts';

/** kubernetes-types has interfaces, which TypeScript does not let stand for a KubeObject; a mapped type may. */
type Plain<T> = { [Field in keyof T]: T[Field] };

export type Deployment = Plain<apps.Deployment>;
export type ReplicaSet = Plain<apps.ReplicaSet>;
export type Job = Plain<batch.Job>;
export type Pod = Plain<core.Pod>;
export type Service = Plain<core.Service>;
export type Endpoints = Plain<core.Endpoints>;
export type EndpointSlice = Plain<discovery.EndpointSlice>;
export type Namespace = Plain<core.Namespace>;
export type ServiceAccount = Plain<core.ServiceAccount>;
export type ConfigMap = Plain<core.ConfigMap>;
export type Event = Plain<core.Event>;
