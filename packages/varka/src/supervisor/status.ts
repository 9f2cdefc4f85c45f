// What `varka status` shows of the inside: pods, proxies, and what the analyzer finds wrong.
import type { InformerSet } from '@varka/kube/client/informer-set.ts';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import * as kinds from '@varka/kube/kinds/refs.ts';
import { analyze } from '@varka/mesh/analyze/analyze.ts';
import type { Finding, ObjectRef } from '@varka/mesh/analyze/finding.ts';
import { INJECTOR_CONFIG, injectionPolicy } from '@varka/mesh/inject/injector-config.ts';
import type { ServiceObject } from '@varka/mesh/registry/service.ts';
import type { ControlPlane } from '@varka/mesh/serve/control-plane.ts';
import type { ProxyStatus as MeshProxyStatus } from '@varka/mesh/serve/proxy-status.ts';
import type { EntranceStatus, FindingStatus, MeshStatus, ProxyStatus } from '../protocol.ts';
import { VERSION } from '../version.ts';
import { summarize } from './pod-summary.ts';
import type { ServicePublisher } from './service-publisher.ts';

export function meshStatus(
  informers: InformerSet,
  controlPlane: ControlPlane | undefined,
  services: ServicePublisher | undefined,
): MeshStatus {
  const pods = informers.informer<Pod>(kinds.Pod).list();
  const proxies = controlPlane?.proxyStatus() ?? [];
  return {
    pods: pods.map(summarize).toSorted((a, b) => compare(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`)),
    entrances: (services?.status() ?? []).toSorted((a, b) => compare(entranceKey(a), entranceKey(b))),
    proxies: proxies.map(proxyStatus).toSorted((a, b) => compare(a.name, b.name)),
    findings: [...findings(informers), ...proxies.flatMap(refusals)],
  };
}

function entranceKey({ namespace, service, type, port }: EntranceStatus): string {
  return `${namespace}/${service}/${type}/${port}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function proxyStatus({ proxy, cds, lds, eds, rds, version }: MeshProxyStatus): ProxyStatus {
  // Our own proxy comes from where this does, and does not say its version.
  return { name: proxy, cds, lds, eds, rds, version: version === '' ? VERSION : version };
}

function refusals({ proxy, errors }: MeshProxyStatus): FindingStatus[] {
  return errors.map(({ type, message }) => ({
    code: 'NACK',
    level: 'error',
    object: `proxy ${proxy}`,
    message: `refused its ${type.toUpperCase()} configuration and keeps the one before: ${message}`,
  }));
}

function findings(informers: InformerSet): FindingStatus[] {
  const found = analyze({
    namespaces: informers.informer(kinds.Namespace).list(),
    services: informers.informer<ServiceObject>(kinds.Service).list(),
    pods: informers.informer<Pod>(kinds.Pod).list(),
    virtualServices: informers.informer(kinds.VirtualService).list(),
    destinationRules: informers.informer(kinds.DestinationRule).list(),
    gateways: informers.informer(kinds.Gateway).list(),
    memberRolls: informers.informer(kinds.ServiceMeshMemberRoll).list(),
    injectionPolicy: injectionPolicy(
      informers.informer(kinds.ConfigMap).get(INJECTOR_CONFIG.namespace, INJECTOR_CONFIG.name),
    ),
  });
  return found.map(findingStatus);
}

function nameOf({ kind, namespace, name }: ObjectRef): string {
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

function findingStatus({ code, level, object, path, sentence, cause, nextStep }: Finding): FindingStatus {
  const where = path === '' ? '' : `${path}: `;
  return { code, level, object: nameOf(object), message: `${where}${sentence}: ${cause}; ${nextStep}` };
}
