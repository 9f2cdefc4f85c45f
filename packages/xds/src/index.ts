// xDS on the wire. Programs that count their start-up time import the files they need instead.
export {
  AdsClient,
  type AdsClientOptions,
  type AdsClientState,
  type ResourceHandler,
  type Verdict,
} from './ads-client.ts';
export { AdsConnection, type ProxyResources } from './ads-connection.ts';
export { AdsServer, type AdsServerOptions } from './ads-server.ts';
export { CLUSTER, ENDPOINTS, isWildcard, LISTENER, PUSH_ORDER, ROUTES, type TypeUrl } from './type-urls.ts';
export type { Resource, ResourceMap, TypeStatus } from './type-watch.ts';
