// The kinds that Varka's own code talks about, as a client names them.
import type { KindRef } from './kind.ts';

const ref = (group: string, version: string, kind: string, plural: string, namespaced = true) =>
  ({ group, version, kind, plural, namespaced }) as const satisfies KindRef;

export const Namespace = ref('', 'v1', 'Namespace', 'namespaces', false);
export const Pod = ref('', 'v1', 'Pod', 'pods');
export const Service = ref('', 'v1', 'Service', 'services');
export const Endpoints = ref('', 'v1', 'Endpoints', 'endpoints');
export const ServiceAccount = ref('', 'v1', 'ServiceAccount', 'serviceaccounts');
export const ConfigMap = ref('', 'v1', 'ConfigMap', 'configmaps');
export const Secret = ref('', 'v1', 'Secret', 'secrets');
export const PersistentVolumeClaim = ref('', 'v1', 'PersistentVolumeClaim', 'persistentvolumeclaims');
export const Event = ref('', 'v1', 'Event', 'events');
export const Node = ref('', 'v1', 'Node', 'nodes', false);
export const Deployment = ref('apps', 'v1', 'Deployment', 'deployments');
export const ReplicaSet = ref('apps', 'v1', 'ReplicaSet', 'replicasets');
export const Job = ref('batch', 'v1', 'Job', 'jobs');
export const EndpointSlice = ref('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices');
export const Ingress = ref('networking.k8s.io', 'v1', 'Ingress', 'ingresses');
export const CustomResourceDefinition = ref(
  'apiextensions.k8s.io',
  'v1',
  'CustomResourceDefinition',
  'customresourcedefinitions',
  false,
);
export const Gateway = ref('networking.istio.io', 'v1', 'Gateway', 'gateways');
export const VirtualService = ref('networking.istio.io', 'v1', 'VirtualService', 'virtualservices');
export const DestinationRule = ref('networking.istio.io', 'v1', 'DestinationRule', 'destinationrules');
export const RouteRule = ref('config.istio.io', 'v1alpha2', 'RouteRule', 'routerules');
export const ServiceMeshControlPlane = ref('maistra.io', 'v2', 'ServiceMeshControlPlane', 'servicemeshcontrolplanes');
export const ServiceMeshMemberRoll = ref('maistra.io', 'v1', 'ServiceMeshMemberRoll', 'servicemeshmemberrolls');
export const Route = ref('route.openshift.io', 'v1', 'Route', 'routes');
