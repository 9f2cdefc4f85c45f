// Whether a pod gets a sidecar, and what the pod looks like with one. Pure: pod in, pod out.
import type { KubeObject } from '@varka/kube/object.ts';
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { PROXY_CONTAINER, PROXY_IMAGE, PROXY_PORTS } from '../install/addresses.ts';
import { bootstrap, PROXY_ENV } from './bootstrap.ts';
import type { InjectionPolicy } from './injector-config.ts';
import { canonicalLabels, ownerUri, type PodObject, workloadOf } from './workload.ts';

export interface InjectionContext {
  /** The pod's Namespace. */
  readonly namespace: KubeObject;
  /** Every ServiceMeshMemberRoll there is. */
  readonly memberRolls: readonly KubeObject[];
  /** What happens in a labelled namespace to a pod that says nothing [Istio: sidecarInjectorWebhook policy]. */
  readonly policy?: InjectionPolicy;
}

export type Injection =
  | { readonly inject: true; readonly pod: PodObject }
  | {
      readonly inject: false;
      readonly reason: string;
      /** The pod itself asks for a sidecar and does not get one, which its owner ought to be told. */
      readonly asked: boolean;
      /** What stands in the way: something about the pod, or that its namespace is not in the mesh. */
      readonly obstacle: 'pod' | 'namespace';
    };

const INJECT = 'sidecar.istio.io/inject';
/** Who asks for Linkerd's proxy gets ours: annotation of the pod, or of its namespace. */
const LINKERD = 'linkerd.io/inject';
const STATUS = 'sidecar.istio.io/status';
const REVISION = 'istio.io/rev';

/** Pods here are the cluster's own; the mesh must not be able to take the cluster down
 * [istio pkg/kube/inject: IgnoredNamespaces]. */
const IGNORED_NAMESPACES: ReadonlySet<string> = new Set([
  'kube-system',
  'kube-public',
  'kube-node-lease',
  'local-path-storage',
]);

export function injectPod(pod: PodObject, context: InjectionContext): Injection {
  const namespace = context.namespace.metadata?.name ?? '';
  const wanted = wish(pod);
  const no = (reason: string, obstacle: 'pod' | 'namespace' = 'pod'): Injection => ({
    inject: false,
    reason,
    asked: wanted === true,
    obstacle,
  });

  if (pod.metadata?.annotations?.[STATUS] !== undefined || hasProxy(pod)) {
    return { inject: false, reason: 'the pod already has a proxy', asked: false, obstacle: 'pod' };
  }
  if (pod.spec?.hostNetwork === true) {
    return no('it uses the host network, whose traffic a sidecar must not capture');
  }
  if (IGNORED_NAMESPACES.has(namespace)) return no(`namespace ${namespace} is never injected`);
  if (wanted === false) return no('it says that it wants none');

  const enrolled = enrolment(pod, context, namespace);
  if (enrolled.kind === 'none') return no(enrolled.reason, 'namespace');
  if (wanted === undefined && enrolled.kind === 'member') {
    return no(`namespace ${namespace} is in a ServiceMeshMemberRoll, where a pod has to ask with ${INJECT}: "true"`);
  }
  if (wanted === undefined && context.policy === 'disabled') {
    return no(`the injection policy is "disabled" and the pod does not ask with ${INJECT}: "true"`);
  }
  return { inject: true, pod: withSidecar(pod, namespace) };
}

/** What the pod says itself; the label wins over the annotation. Any other value than these says nothing. */
function wish(pod: PodObject): boolean | undefined {
  const { labels = {}, annotations = {} } = pod.metadata ?? {};
  const said = labels[INJECT] ?? annotations[INJECT];
  if (said === 'true' || (said === undefined && annotations[LINKERD] === 'enabled')) return true;
  if (said === 'false' || (said === undefined && annotations[LINKERD] === 'disabled')) return false;
  return undefined;
}

type Enrolment = { kind: 'label' } | { kind: 'member' } | { kind: 'none'; reason: string };

/** How the pod comes under injection at all: Istio's webhook selectors, then OpenShift's member roll. */
function enrolment(pod: PodObject, context: InjectionContext, namespace: string): Enrolment {
  const labels = context.namespace.metadata?.labels ?? {};
  const podLabels = pod.metadata?.labels ?? {};
  switch (labels['istio-injection']) {
    case 'enabled':
      return { kind: 'label' };
    case 'disabled':
      return { kind: 'none', reason: `namespace ${namespace} is labelled istio-injection=disabled` };
  }
  if (labels[REVISION] !== undefined || podLabels[REVISION] !== undefined) return { kind: 'label' };
  if (podLabels[INJECT] === 'true') return { kind: 'label' };
  // Linkerd's own injector looks at every namespace.
  const linkerd = pod.metadata?.annotations?.[LINKERD] ?? context.namespace.metadata?.annotations?.[LINKERD];
  if (linkerd === 'enabled') return { kind: 'label' };
  const member = context.memberRolls.some((roll) => members(roll).includes(namespace));
  if (member) return { kind: 'member' };
  return {
    kind: 'none',
    reason: `namespace ${namespace} is neither labelled istio-injection=enabled nor in a ServiceMeshMemberRoll`,
  };
}

export function members(roll: KubeObject): readonly string[] {
  const spec = roll['spec'] as { members?: readonly string[] } | undefined;
  return spec?.members ?? [];
}

export function hasProxy(pod: PodObject): boolean {
  const spec = pod.spec;
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].some(({ name }) => name === PROXY_CONTAINER);
}

function withSidecar(pod: PodObject, namespace: string): PodObject {
  const workload = workloadOf(pod);
  const labels = {
    ...pod.metadata?.labels,
    ...canonicalLabels(pod.metadata?.labels ?? {}, workload),
    // What tells callers that this pod speaks mutual TLS.
    'security.istio.io/tlsMode': 'istio',
  };
  const applications = pod.spec?.containers ?? [];
  const defaultContainer = applications[0]?.name;
  const proxy = proxyContainer(
    bootstrap({
      type: 'sidecar',
      workloadName: workload.name,
      serviceAccount: pod.spec?.serviceAccountName || 'default',
      labels,
      owner: ownerUri(workload, namespace),
      appContainers: applications.map(({ name }) => name),
    }),
  );
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels,
      annotations: {
        ...(defaultContainer === undefined
          ? {}
          : {
              'kubectl.kubernetes.io/default-container': defaultContainer,
              'kubectl.kubernetes.io/default-logs-container': defaultContainer,
            }),
        ...pod.metadata?.annotations,
        [REVISION]: 'default',
        [STATUS]: JSON.stringify({
          initContainers: null,
          containers: [PROXY_CONTAINER],
          volumes: null,
          imagePullSecrets: null,
          revision: 'default',
        }),
      },
    },
    // The application's probes stay as they are: the kubelet asks from an address that the capture lets through, so
    // there is no need to rewrite them as Istio does.
    spec: { ...pod.spec, containers: [...applications, proxy] },
  };
}

/** The proxy as a container; the gateway's Deployment uses the same. */
export function proxyContainer(config: Record<string, unknown>): Container {
  return {
    name: PROXY_CONTAINER,
    image: PROXY_IMAGE,
    imagePullPolicy: 'IfNotPresent',
    // Envoy's own flag, so that an image of Envoy does as well.
    args: ['--config-yaml', JSON.stringify(config)],
    env: PROXY_ENV,
    ports: [{ name: 'http-envoy-prom', containerPort: PROXY_PORTS.metrics, protocol: 'TCP' }],
    readinessProbe: {
      httpGet: { path: '/healthz/ready', port: PROXY_PORTS.ready },
      periodSeconds: 1,
      timeoutSeconds: 3,
      failureThreshold: 4,
    },
    // Istio's defaults (values.yaml: global.proxy.resources).
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '2', memory: '1Gi' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      privileged: false,
      // The proxy marks its own connections, which is how the capture tells them from the application's (SO_MARK).
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
    },
  };
}
