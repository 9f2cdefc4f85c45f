// Injection where pods are created: the admission plugin that stands for Istio's mutating webhook. Workloads whose pods
// will ask in vain are told so when they are applied, because nobody sees the answer that a controller gets for its pod.
import type { KubeClient } from '@varka/kube/client/client.ts';
import type { Informer } from '@varka/kube/client/informer.ts';
import { Namespace, ServiceMeshMemberRoll } from '@varka/kube/kinds/refs.ts';
import type { Logger } from '@varka/kube/log.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import type { AdmissionPlugin, AdmissionRequest, AdmissionResponse } from '@varka/kube/server/admission.ts';
import { isStatus } from '@varka/kube/status-error.ts';
import { sameJson } from '../install/merge-patch.ts';
import { type Injection, type InjectionContext, injectPod } from './inject-pod.ts';
import { INJECTOR_CONFIG, injectionPolicy } from './injector-config.ts';
import type { PodObject } from './workload.ts';

export interface SidecarInjectorOptions {
  readonly namespaces: Pick<Informer, 'synced' | 'get' | 'onEvent'>;
  readonly memberRolls: Pick<Informer, 'synced' | 'list'>;
  /** Asked before a pod goes without for its namespace's sake: what enrols it may not have reached the informers yet. */
  readonly client?: Pick<KubeClient, 'get' | 'list'>;
  readonly log: Logger;
  /** Those of the mesh's namespace; without them the policy is the default. */
  readonly configMaps?: Pick<Informer, 'synced' | 'get'>;
  /** How long a pod's creation may wait for the lookups to be ready. */
  readonly lookupTimeoutMs?: number;
}

const NAME = 'namespace.sidecar-injector.istio.io';

export function sidecarInjector(options: SidecarInjectorOptions): AdmissionPlugin {
  return {
    name: NAME,
    admit(request) {
      const { operation, kind } = request;
      if (operation === 'CREATE' && kind.group === '' && kind.kind === 'Pod') return admitPod(options, request);
      if (operation !== 'DELETE' && (kind.group === 'apps' || kind.group === 'batch'))
        return admitWorkload(options, request);
      return { allowed: true };
    },
  };
}

async function admitPod(options: SidecarInjectorOptions, request: AdmissionRequest): Promise<AdmissionResponse> {
  const { log, lookupTimeoutMs = 10_000 } = options;
  const pod = request.object as PodObject;
  const name = namespaceOf(request);
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
  const injection = await decide(options, pod, namespace);
  if (injection.inject) return { allowed: true, object: injection.pod };
  const podName = pod.metadata?.name ?? pod.metadata?.generateName ?? '';
  log.debug('pod is not injected', { namespace: name, pod: podName, reason: injection.reason });
  if (!injection.asked) return { allowed: true };
  const warning = `pod ${podName} asks for a sidecar and gets none: ${injection.reason}`;
  log.warn(warning, { namespace: name });
  return { allowed: true, warnings: [warning] };
}

/** Nothing is changed, and nothing waited for: its pods will come by here. */
async function admitWorkload(options: SidecarInjectorOptions, request: AdmissionRequest): Promise<AdmissionResponse> {
  const { object, oldObject, kind } = request;
  const template = templateOf(object);
  const controlled = object.metadata?.ownerReferences?.some(({ controller }) => controller === true) ?? false;
  const unchanged = oldObject !== undefined && sameJson(template, templateOf(oldObject));
  const namespace = options.namespaces.get(undefined, namespaceOf(request));
  if (template === undefined || controlled || unchanged || namespace === undefined) return { allowed: true };
  const injection = await decide(options, template, namespace);
  if (injection.inject || !injection.asked) return { allowed: true };
  const remedy =
    injection.obstacle === 'namespace'
      ? '; once the namespace is in the mesh, pods that are there already have to be restarted'
      : '';
  const who = `${kind.kind} ${object.metadata?.name ?? ''}`;
  return {
    allowed: true,
    warnings: [`the pods of ${who} ask for a sidecar and will get none: ${injection.reason}${remedy}`],
  };
}

function namespaceOf({ namespace, object }: AdmissionRequest): string {
  return namespace ?? object.metadata?.namespace ?? 'default';
}

function templateOf(workload: KubeObject): PodObject | undefined {
  return (workload['spec'] as { template?: PodObject } | undefined)?.template;
}

async function decide(options: SidecarInjectorOptions, pod: PodObject, namespace: KubeObject): Promise<Injection> {
  const { client, configMaps, memberRolls } = options;
  const policy = injectionPolicy(configMaps?.get(INJECTOR_CONFIG.namespace, INJECTOR_CONFIG.name));
  const under = (context: InjectionContext) => injectPod(pod, { ...context, policy });
  const known = under({ namespace, memberRolls: memberRolls.list() });
  if (known.inject || known.obstacle === 'pod' || client === undefined) return known;
  try {
    const [current, rolls] = await Promise.all([
      client.get<KubeObject>(Namespace, namespace.metadata?.name ?? ''),
      client.list<KubeObject>(ServiceMeshMemberRoll),
    ]);
    return under({ namespace: current, memberRolls: rolls.items });
  } catch (error) {
    // Deleted just now; the API will refuse what is to be created in it.
    if (isStatus(error, 'NotFound')) return known;
    throw error;
  }
}

/** The namespace, once the lookups are complete; one made a moment ago may still be on its way to them. */
async function lookUp(
  { namespaces, memberRolls, configMaps }: SidecarInjectorOptions,
  name: string,
  limitMs: number,
): Promise<KubeObject | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(late.resolve, limitMs, undefined);
  let off = (): void => undefined;
  try {
    const synced = Promise.all([namespaces.synced, memberRolls.synced, configMaps?.synced]);
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
