// What a ServiceMeshControlPlane and a ServiceMeshMemberRoll are told in their status. Pure.
import type { KubeObject } from '@varka/kube/object.ts';
import { members } from '../inject/inject-pod.ts';
import { SYSTEM_NAMESPACE } from './addresses.ts';
import { type Condition, withTransitionTimes } from './conditions.ts';
import { isMap } from './merge-patch.ts';

export interface ComponentReadiness {
  /** The names that OpenShift Service Mesh gives its components: istio-discovery, istio-ingress, … */
  readonly [component: string]: boolean;
}

interface Status extends Record<string, unknown> {
  readonly conditions?: readonly Condition[];
}

/** Fields of the spec that Varka carries out, with the values for which it does. What isn't here is told in the status. */
const CARRIED_OUT = new Map<string, (value: unknown) => boolean>([
  ['version', () => true],
  ['profiles', (value) => Array.isArray(value) && value.every((name) => name === 'default')],
  ['policy.type', (value) => value === 'Istiod'],
  ['telemetry.type', (value) => value === 'Istiod'],
  ['tracing.type', (value) => value === 'None'],
  ['proxy.networking.trafficControl.outbound.policy', (value) => value === 'ALLOW_ANY' || value === 'REGISTRY_ONLY'],
  ['proxy.accessLogging.file.name', (value) => typeof value === 'string'],
  ['gateways.enabled', (value) => value === true],
  ['gateways.ingress.enabled', (value) => value === true],
  ['gateways.egress.enabled', (value) => value === false],
  ['addons.grafana.enabled', (value) => value === false],
  ['addons.kiali.enabled', (value) => value === false],
  ['addons.prometheus.enabled', (value) => value === false],
]);

/** `spec.addons.grafana.enabled=true` …: what the object asks for and does not get. */
export function notCarriedOut(controlPlane: KubeObject): string[] {
  const ignored: string[] = [];
  const visit = (path: string, value: unknown): void => {
    if (CARRIED_OUT.get(path)?.(value)) return;
    if (isMap(value)) {
      for (const [name, inner] of Object.entries(value)) visit(path === '' ? name : `${path}.${name}`, inner);
    } else if (path !== '' && value !== undefined) {
      ignored.push(`spec.${path}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
    }
  };
  visit('', controlPlane['spec']);
  return ignored;
}

export function controlPlaneStatus(controlPlane: KubeObject, components: ComponentReadiness, now: Date): Status {
  const names = Object.keys(components).sort();
  const ready = names.filter((name) => components[name]);
  const unready = names.filter((name) => !components[name]);
  const ignored = notCarriedOut(controlPlane);
  const elsewhere = controlPlane.metadata?.namespace !== SYSTEM_NAMESPACE;
  const conditions: Condition[] = elsewhere
    ? [
        {
          type: 'Reconciled',
          status: 'False',
          reason: 'ReconcileError',
          message: `the mesh of this machine is in namespace ${SYSTEM_NAMESPACE}; a control plane elsewhere has no effect`,
        },
        { type: 'Ready', status: 'False', reason: 'ReconcileError' },
      ]
    : [
        { type: 'Installed', status: 'True', reason: 'InstallSuccessful', message: 'The control plane is installed' },
        { type: 'Reconciled', status: 'True', reason: 'UpdateSuccessful', message: 'The spec is in force' },
        unready.length === 0
          ? {
              type: 'Ready',
              status: 'True',
              reason: 'ComponentsReady',
              message: 'All component deployments are Available',
            }
          : {
              type: 'Ready',
              status: 'False',
              reason: 'ComponentsNotReady',
              message: `The following components are not ready: ${unready.join(', ')}`,
            },
        ignored.length === 0
          ? { type: 'FullySupported', status: 'True', reason: 'AllFieldsInForce' }
          : {
              type: 'FullySupported',
              status: 'False',
              reason: 'FieldsNotInForce',
              message: `Accepted, but without effect here: ${ignored.join(', ')}`,
            },
      ];
  const before = controlPlane['status'] as Status | undefined;
  const version = (controlPlane['spec'] as { version?: string } | undefined)?.version;
  return {
    observedGeneration: controlPlane.metadata?.generation ?? 0,
    // `kubectl get smcp` prints these: READY, STATUS, PROFILES, VERSION.
    annotations: { readyComponentCount: `${ready.length}/${names.length}` },
    appliedSpec: { profiles: ['default'] },
    ...(version === undefined ? {} : { chartVersion: version.replace(/^v/, '') }),
    readiness: { components: { ready, unready, pending: [] } },
    conditions: withTransitionTimes(conditions, before?.conditions, now),
  };
}

/** A member whose namespace is not there yet is pending, and configured as soon as it is. */
export function memberRollStatus(roll: KubeObject, exists: (namespace: string) => boolean, now: Date): Status {
  const all = [...new Set(members(roll))].sort();
  const configuredMembers = all.filter(exists);
  const pendingMembers = all.filter((name) => !exists(name));
  const condition: Condition =
    pendingMembers.length === 0
      ? {
          type: 'Ready',
          status: 'True',
          reason: 'Configured',
          message: 'All namespaces have been configured successfully',
        }
      : {
          type: 'Ready',
          status: 'False',
          reason: 'Reconciling',
          message: `The following namespaces do not exist yet: ${pendingMembers.join(', ')}`,
        };
  const before = roll['status'] as Status | undefined;
  const memberConditions = before?.['memberStatuses'] as
    | readonly { namespace: string; conditions: readonly Condition[] }[]
    | undefined;
  return {
    observedGeneration: roll.metadata?.generation ?? 0,
    annotations: { configuredMemberCount: `${configuredMembers.length}/${all.length}` },
    members: all,
    configuredMembers,
    pendingMembers,
    terminatingMembers: [],
    memberStatuses: all.map((namespace) => ({
      namespace,
      conditions: withTransitionTimes(
        [
          exists(namespace)
            ? { type: 'Reconciled', status: 'True', reason: 'Reconciled', message: 'The namespace is in the mesh' }
            : {
                type: 'Reconciled',
                status: 'False',
                reason: 'NamespaceNotExists',
                message: `The namespace ${namespace} does not exist`,
              },
        ],
        memberConditions?.find((member) => member.namespace === namespace)?.conditions,
        now,
      ),
    })),
    conditions: withTransitionTimes([condition], before?.conditions, now),
  };
}
