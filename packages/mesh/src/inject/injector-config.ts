// The injector's settings, where Istio keeps them and where people change them: ConfigMap istio-sidecar-injector.
import type { KubeObject } from '@varka/kube/object.ts';
import { parseDocument } from 'yaml';
import { SYSTEM_NAMESPACE } from '../install/addresses.ts';

export const INJECTOR_CONFIG = { namespace: SYSTEM_NAMESPACE, name: 'istio-sidecar-injector' } as const;

export type InjectionPolicy = 'enabled' | 'disabled';

export function injectorConfigMap(): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...INJECTOR_CONFIG, labels: { app: 'sidecar-injector' } },
    data: {
      config:
        '# What happens in a namespace labelled istio-injection=enabled to a pod that does not say what it wants.\n' +
        'policy: enabled\n',
    },
  };
}

/** Istio's default where nothing else is said, or nothing that can be read: a sidecar too many does less harm than none. */
export function injectionPolicy(configMap: KubeObject | undefined): InjectionPolicy {
  const { config = '' } = (configMap?.['data'] ?? {}) as { config?: string };
  const document = parseDocument(config);
  return document.errors.length === 0 && document.get('policy') === 'disabled' ? 'disabled' : 'enabled';
}
