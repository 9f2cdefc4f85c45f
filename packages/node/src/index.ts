// The node agent: pods in sandboxes on this machine, their images, their names.
export { type DnsServer, type DnsServerOptions, type ExternalAnswer, startDnsServer } from './dns/server.ts';
export { createDnsView } from './dns/view.ts';
export { type CatalogEntry, ImageCatalog, type ImageProgram } from './images/image-catalog.ts';
export { type NodeAgent, type NodeOptions, startNode } from './pods/node.ts';
export { ClusterNetwork, type ClusterNetworkOptions, type PodNetworkOptions } from './sandbox/cluster-network.ts';
export { SandboxUnavailableError } from './sandbox/errors.ts';
export type { PodProcess, PodSandbox, SpawnOptions } from './sandbox/pod-sandbox.ts';
