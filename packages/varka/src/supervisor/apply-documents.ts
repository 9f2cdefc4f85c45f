// What `up -f` brings in: applied, then waited for, with what is wrong gathered for the end.
import * as kinds from '@varka/kube/kinds/refs.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import { GATEWAY_NAME, SYSTEM_NAMESPACE } from '@varka/mesh/install/addresses.ts';
import { describe, type Problem, profileFlag } from '../errors.ts';
import { applyAll } from '../manifests/apply.ts';
import { HttpApplyApi } from '../manifests/apply-api.ts';
import { resolveKinds } from '../manifests/resolve.ts';
import type { SupervisorConfig } from '../protocol.ts';
import type { Cluster } from './cluster.ts';
import type { StepReporter } from './steps.ts';
import { pathToTry } from './try-path.ts';
import { type DeploymentName, type WaitResult, waitForDeployments } from './wait-for-deployments.ts';

export interface ApplyOutcome {
  readonly complete: boolean;
  readonly problems: readonly Problem[];
  readonly tryPath: string | undefined;
}

/** Rejects with a `VarkaError`, and has applied nothing, when a document is of a kind that nobody knows. */
export async function applyDocuments(
  config: SupervisorConfig,
  cluster: Cluster,
  steps: StepReporter,
): Promise<ApplyOutcome> {
  const { documents, namespace, profile } = config;
  const problems: Problem[] = [];
  const created: DeploymentName[] = [{ namespace: SYSTEM_NAMESPACE, name: GATEWAY_NAME }];
  /** Of the VirtualServices just applied. */
  const ownRoutes = new Set<string>();
  if (documents.length > 0) {
    const api = new HttpApplyApi(cluster.access);
    const resolved = resolveKinds(documents, cluster.servedKinds());
    await steps.run('apply', `applying ${documents.length} objects`, async (update) => {
      let applied = 0;
      let unchanged = 0;
      const label = () =>
        `applied ${applied} of ${documents.length} objects${unchanged === 0 ? '' : `, ${unchanged} unchanged`}`;
      await applyAll({
        api,
        documents: resolved,
        namespace,
        kubeconfig: profile.kubeconfig,
        onApplied: ({ object, document, action, warnings }) => {
          for (const warning of warnings) steps.note(`${document.path}:${document.line}: ${warning}`);
          applied++;
          if (action === 'unchanged') unchanged++;
          update(label());
          const { namespace: where = '', name = '' } = object.metadata ?? {};
          if (document.kind.kind === 'Deployment') created.push({ namespace: where, name });
          if (document.kind.kind === 'VirtualService') ownRoutes.add(`${where}/${name}`);
        },
        onRejected: (problem) => problems.push(problem),
      });
      update(label());
    });
    api.close();
    const others = fromBefore(created, cluster);
    if (others !== undefined) {
      const flag = profileFlag(profile.name);
      steps.note(`also here from before: ${others}; varka down${flag} --purge forgets what is kept`);
    }
  }
  const result = await steps.run('pods', 'pods', (update) =>
    waitForDeployments({
      deployments: cluster.deployments(),
      pods: cluster.pods(),
      targets: withExisting(created, cluster),
      timeoutMs: config.waitSeconds * 1000,
      onProgress: (ready, wanted) => update(`pods ${ready}/${wanted}`),
    }),
  );
  const notReady = unavailableProblem(result, config);
  if (notReady !== undefined) problems.push(notReady);
  const all = cluster.informers.informer(kinds.VirtualService).list();
  const isOwn = ({ metadata }: KubeObject) => ownRoutes.has(`${metadata?.namespace}/${metadata?.name}`);
  // What has just been asked for is what to try first.
  const routes = [...all.filter(isOwn), ...all.filter((route) => !isOwn(route))];
  return { complete: problems.length === 0, problems, tryPath: pathToTry(routes) };
}

/** `shop (14 Deployments)`, of each namespace that an earlier run filled; undefined when there is none. */
function fromBefore(created: readonly DeploymentName[], cluster: Cluster): string | undefined {
  const own = new Set(created.map(({ namespace, name }) => `${namespace}/${name}`));
  const counts = new Map<string, number>();
  for (const { metadata } of cluster.deployments().list()) {
    const { namespace = '', name = '' } = metadata ?? {};
    if (!own.has(`${namespace}/${name}`)) counts.set(namespace, (counts.get(namespace) ?? 0) + 1);
  }
  if (counts.size === 0) return undefined;
  return [...counts].map(([namespace, n]) => `${namespace} (${n} Deployment${n === 1 ? '' : 's'})`).join(', ');
}

/** What an earlier run left in the store comes back too, and is waited for as well. */
function withExisting(created: readonly DeploymentName[], cluster: Cluster): DeploymentName[] {
  const known = cluster.deployments().list();
  const existing = known.map(({ metadata }) => ({ namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' }));
  const all = new Map([...created, ...existing].map((target) => [`${target.namespace}/${target.name}`, target]));
  return [...all.values()];
}

function unavailableProblem(result: WaitResult, { profile, waitSeconds }: SupervisorConfig): Problem | undefined {
  if (result.kind === 'available') return undefined;
  const detail = result.unavailable.map(({ namespace, name, reason }) => `${namespace}/${name} (${reason})`).join('; ');
  const count = result.unavailable.length === 1 ? 'one Deployment is' : `${result.unavailable.length} Deployments are`;
  const flag = profileFlag(profile.name);
  return describe('not-ready', {
    count,
    detail,
    seconds: result.kind === 'timeout' ? ` after ${waitSeconds} s` : '',
    flag,
  });
}
