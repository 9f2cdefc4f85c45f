// The references of a VirtualService to Gateways [istio pkg/config/validation validateGatewayNames].
import type { Place } from './report.ts';
import { checkHost, isDnsLabel } from './values.ts';

/** `name`, `namespace/name`, or `mesh` for the sidecars. */
export function checkGatewayNames(gateways: Place): void {
  for (const gateway of gateways.items()) {
    const parts = gateway.text.split('/');
    if (parts.length === 1) {
      if (gateway.text.includes('.')) {
        const [name, namespace] = gateway.text.split('.');
        gateway.warn(`using legacy gatewayName format "${gateway.text}"; prefer "${namespace}/${name}"`);
      }
      checkHost(gateway, 'exact');
      continue;
    }
    const [namespace = '', name = ''] = [parts[0], parts.slice(1).join('/')];
    if (namespace === '' || name === '') gateway.error('config namespace and gateway name cannot be empty');
    else if (!isDnsLabel(namespace)) gateway.error(`invalid value for namespace: "${namespace}"`);
    else if (!isDnsLabel(name)) gateway.error(`invalid value for gateway name: "${name}"`);
  }
}
