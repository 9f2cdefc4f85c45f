// Everything the analyzer can say, in one place. A code keeps its meaning for ever; Istio's codes have Istio's meaning
// [istio pkg/config/analysis/msg/messages.yaml].
import type { Finding, Level, ObjectRef } from './finding.ts';

interface Text {
  readonly sentence: string;
  readonly cause: string;
  readonly nextStep: string;
}

export interface Message<A> {
  readonly code: string;
  readonly name: string;
  readonly level: Level;
  readonly text: (args: A) => Text;
}

function message<A>(code: string, name: string, level: Level, text: (args: A) => Text): Message<A> {
  return { code, name, level, text };
}

export function finding<A>({ code, name, level, text }: Message<A>, object: ObjectRef, path: string, args: A): Finding {
  return { code, name, level, object, path, ...text(args) };
}

const list = (items: readonly string[]): string => (items.length === 0 ? 'none' : items.join(', '));

export const hostNotFound = message(
  'IST0101',
  'ReferencedResourceNotFound',
  'error',
  ({ host, fqdn, candidates }: { host: string; fqdn: string; candidates: readonly string[] }) => ({
    sentence: `Referenced host not found: "${host}"`,
    cause: `there is no Service ${fqdn}, so requests that take this route are answered with 503`,
    nextStep:
      candidates.length === 0
        ? 'create the Service, or correct the host; a name without dots is looked up in the namespace of the rule'
        : `did you mean ${candidates.join(' or ')}?`,
  }),
);

export const subsetNotFound = message(
  'IST0101',
  'ReferencedResourceNotFound',
  'error',
  ({
    host,
    subset,
    rule,
    known,
  }: {
    host: string;
    subset: string;
    rule: string | undefined;
    known: readonly string[];
  }) => ({
    sentence: `Referenced host+subset in destinationrule not found: "${host}+${subset}"`,
    cause: 'requests that take this route are answered with 503, because the subset has no cluster',
    nextStep:
      rule === undefined
        ? `create a DestinationRule for ${host} that has a subset "${subset}"`
        : `add a subset "${subset}" to DestinationRule ${rule}, or use one that it has: ${list(known)}`,
  }),
);

export const portNotFound = message(
  'IST0101',
  'ReferencedResourceNotFound',
  'error',
  ({ host, port, known }: { host: string; port: number; known: readonly number[] }) => ({
    sentence: `Referenced port not found: "${host}:${port}"`,
    cause: 'requests that take this route are answered with 503, because the Service has no such port',
    nextStep: `use a port of the Service: ${list(known.map(String))}`,
  }),
);

export const gatewayNotFound = message(
  'IST0101',
  'ReferencedResourceNotFound',
  'error',
  ({ gateway, known }: { gateway: string; known: readonly string[] }) => ({
    sentence: `Referenced gateway not found: "${gateway}"`,
    cause: 'the rule is not in force at any gateway under this name',
    nextStep: `create Gateway ${gateway}, or refer to one that exists as namespace/name: ${list(known)}`,
  }),
);

export const selectorNotFound = message(
  'IST0101',
  'ReferencedResourceNotFound',
  'error',
  ({ selector }: { selector: string }) => ({
    sentence: `Referenced selector not found: "${selector}"`,
    cause: 'no pod has these labels, so no proxy listens for this Gateway',
    nextStep: 'the ingress gateway that comes with the mesh has the label istio=ingressgateway',
  }),
);

export const namespaceNotInjected = message(
  'IST0102',
  'NamespaceNotInjected',
  'warning',
  ({ namespace }: { namespace: string }) => ({
    sentence: 'The namespace is not enabled for injection, and none of its pods has a sidecar',
    cause: 'its traffic rules have no effect on what its own pods send',
    nextStep:
      `run 'kubectl label namespace ${namespace} istio-injection=enabled', or add it to a ServiceMeshMemberRoll and ` +
      'annotate the pods with sidecar.istio.io/inject: "true"; then restart the pods',
  }),
);

export const podMissingProxy = message(
  'IST0103',
  'PodMissingProxy',
  'warning',
  ({ pod, reason }: { pod: string; reason: string | undefined }) => ({
    sentence: `The pod ${pod} is missing the sidecar it ${reason === undefined ? 'ought to have' : 'asks for'}`,
    cause: reason ?? 'it was created before injection was enabled for it',
    nextStep:
      reason === undefined
        ? "restart its workload, e.g. with 'kubectl rollout restart'"
        : 'enable the namespace for injection, then restart the workload',
  }),
);

export const conflictingHosts = message(
  'IST0109',
  'ConflictingMeshGatewayVirtualServiceHosts',
  'error',
  ({ host, rules }: { host: string; rules: readonly string[] }) => ({
    sentence: `The VirtualServices ${rules.join(', ')} define the same host ${host} for the sidecars`,
    cause: `only the oldest, ${rules[0]}, is in force for this host`,
    nextStep: 'merge them into one VirtualService',
  }),
);

export const portRequired = message(
  'IST0112',
  'VirtualServiceDestinationPortSelectorRequired',
  'error',
  ({ host, ports }: { host: string; ports: readonly number[] }) => ({
    sentence: `This VirtualService routes to a service "${host}" that exposes multiple ports ${list(ports.map(String))}`,
    cause: 'requests go on to the port number that they came to, which the service may not have: then they get 503',
    nextStep: 'set destination.port.number',
  }),
);

export const hostNotInGateway = message(
  'IST0132',
  'VirtualServiceHostNotFoundInGateway',
  'warning',
  ({ host, gateway, served }: { host: string; gateway: string; served: readonly string[] }) => ({
    sentence: `The host ${host} is not among those of Gateway ${gateway}`,
    cause: 'the gateway does not accept requests for this host',
    nextStep: `add the host to the Gateway, whose hosts are: ${list(served)}`,
  }),
);

export const gatewayPortNotOnService = message(
  'IST0162',
  'GatewayPortNotDefinedOnService',
  'warning',
  ({ port, service, ports }: { port: number; service: string; ports: readonly number[] }) => ({
    sentence: `The gateway listens on port ${port}, which Service ${service} does not have`,
    cause: 'the port can not be reached through the gateway Service',
    nextStep: `use a port of the Service: ${list(ports.map(String))}`,
  }),
);

export const subsetSelectsNoPods = message(
  'IST0173',
  'DestinationRuleSubsetNotSelectPods',
  'warning',
  ({ subset, host, labels }: { subset: string; host: string; labels: string }) => ({
    sentence: `The Subset ${subset} of ${host} does not select any pods`,
    cause: `no pod of the Service has the labels ${labels}; requests routed to the subset are answered with 503`,
    nextStep: 'correct the labels, or scale up the workload that has them',
  }),
);

export const unknownDestinationRuleHost = message(
  'IST0174',
  'UnknownDestinationRuleHost',
  'warning',
  ({ host, candidates }: { host: string; candidates: readonly string[] }) => ({
    sentence: `The host ${host} defined in the DestinationRule does not match any services in the mesh`,
    cause: 'the rule has no effect',
    nextStep:
      candidates.length === 0 ? 'create the Service, or correct the host' : `did you mean ${candidates.join(' or ')}?`,
  }),
);

export const fieldNotCarriedOut = message(
  'VARKA0001',
  'FieldNotCarriedOut',
  'warning',
  ({ field }: { field: string }) => ({
    sentence: `The field ${field} is accepted, but this version of Varka does not carry it out`,
    cause: 'traffic flows as if the field were not there',
    nextStep: 'remove the field, or do without what it would do',
  }),
);

export const ruleHostNotFound = message(
  'VARKA0002',
  'VirtualServiceHostUnknown',
  'warning',
  ({ host, candidates }: { host: string; candidates: readonly string[] }) => ({
    sentence: `The host ${host} does not match any services in the mesh`,
    cause: 'no sidecar sends requests to it, so the rule has no effect there',
    nextStep:
      candidates.length === 0 ? 'create the Service, or correct the host' : `did you mean ${candidates.join(' or ')}?`,
  }),
);
