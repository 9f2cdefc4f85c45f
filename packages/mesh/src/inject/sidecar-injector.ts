// Injection where pods are created: the admission plugin that stands for Istio's mutating webhook.
import type { Informer } from '@varka/kube/client/informer.ts';
import type { Logger } from '@varka/kube/log.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import type { AdmissionPlugin, AdmissionRequest, AdmissionResponse } from '@varka/kube/server/admission.ts';
import { injectPod } from './inject-pod.ts';
import type { PodObject } from './workload.ts';

export interface SidecarInjectorOptions {
  readonly namespaces: Pick<Informer, 'synced' | 'get' | 'onEvent'>;
  readonly memberRolls: Pick<Informer, 'synced' | 'list'>;
  readonly log: Logger;
  readonly policy?: 'enabled' | 'disabled';
  /** How long a pod's creation may wait for the lookups to be ready. */
  readonly lookupTimeoutMs?: number;
}

const NAME = 'namespace.sidecar-injector.istio.io';

export function sidecarInjector(options: SidecarInjectorOptions): AdmissionPlugin {
  const { log, policy, lookupTimeoutMs = 10_000 } = options;

  async function admit(request: AdmissionRequest): Promise<AdmissionResponse> {
    if (request.operation !== 'CREATE' || request.kind.group !== '' || request.kind.kind !== 'Pod') {
      return { allowed: true };
    }
    const pod = request.object as PodObject;
    const name = request.namespace ?? pod.metadata?.namespace ?? 'default';
    const namespace = await lookUp(options, name, lookupTimeoutMs);
    // As with Istio's failurePolicy Fail: a pod that ought to have a sidecar must not start without one.
    if (namespace === undefined) {
      return {
        allowed: false,
        message:
          'whether this pod gets a sidecar is not known, because the ' +
          `namespace "${name}" and the ServiceMeshMemberRolls could not be read within ${lookupTimeoutMs} ms; ` +
          'creating the pod again will do once the control plane has caught up',
      };
    }
    const injection = injectPod(pod, {
      namespace,
      memberRolls: options.memberRolls.list(),
      ...(policy === undefined ? {} : { policy }),
    });
    if (injection.inject) return { allowed: true, object: injection.pod };
    const podName = pod.metadata?.name ?? pod.metadata?.generateName ?? '';
    log.debug('pod is not injected', { namespace: name, pod: podName, reason: injection.reason });
    if (!injection.asked) return { allowed: true };
    const warning = `pod ${podName} asks for a sidecar and gets none: ${injection.reason}`;
    log.warn(warning, { namespace: name });
    return { allowed: true, warnings: [warning] };
  }

  return { name: NAME, admit };
}

/** The namespace, once the lookups are complete; one made a moment ago may still be on its way to them. */
async function lookUp(
  { namespaces, memberRolls }: SidecarInjectorOptions,
  name: string,
  limitMs: number,
): Promise<KubeObject | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(late.resolve, limitMs, undefined);
  let off = (): void => undefined;
  try {
    const synced = Promise.all([namespaces.synced, memberRolls.synced]);
    if ((await Promise.race([synced, late.promise])) === undefined) return undefined;
    const there = namespaces.get(undefined, name);
    if (there !== undefined) return there;
    const found = Promise.withResolvers<KubeObject>();
    off = namespaces.onEvent((event) => {
      if (event.type !== 'deleted' && event.object.metadata?.name === name) found.resolve(event.object);
    });
    return await Promise.race([found.promise, late.promise]);
  } finally {
    clearTimeout(timer);
    off();
  }
}
