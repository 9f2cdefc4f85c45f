// Gateways: is there a proxy for them, and can their ports be reached?
import { gatewaySelects } from '../config/gateway.ts';
import type { Finding, ObjectRef } from './finding.ts';
import { hasLabels, labelText, type ViewIndex } from './index-of-view.ts';
import * as messages from './messages.ts';
import { finding } from './messages.ts';

export function analyzeGateways(index: ViewIndex): Finding[] {
  return [...index.gateways.values()].flatMap((gateway) => {
    const ref: ObjectRef = { kind: 'Gateway', namespace: gateway.namespace, name: gateway.name };
    const pods = index.pods.filter((pod) => gatewaySelects(gateway, pod.metadata?.labels ?? {}));
    if (pods.length === 0) {
      const selector = labelText(gateway.selector);
      return [finding(messages.selectorNotFound, ref, 'spec.selector', { selector })];
    }
    const services = index.services.filter(({ namespace, selector }) =>
      pods.some(
        (pod) =>
          selector !== undefined && pod.metadata?.namespace === namespace && hasLabels(pod.metadata.labels, selector),
      ),
    );
    const first = services[0];
    if (first === undefined) return [];
    // A server's port is the Service's; Istio accepts the port behind it (targetPort) as well.
    const ports = services.flatMap((service) => service.ports);
    return gateway.servers.flatMap(({ port }, number) => {
      if (ports.some((one) => one.number === port.number || one.targetPort === port.number)) return [];
      return [
        finding(messages.gatewayPortNotOnService, ref, `spec.servers[${number}].port.number`, {
          port: port.number,
          service: `${first.namespace}/${first.name}`,
          ports: ports.map((one) => one.number),
        }),
      ];
    });
  });
}
