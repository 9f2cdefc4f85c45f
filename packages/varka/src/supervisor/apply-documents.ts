// What `up -f` brings in: applied, then waited for, with what is wrong gathered for the end.
import * as kinds from '@varka/kube/kinds/refs.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import { GATEWAY_NAME, SYSTEM_NAMESPACE } from '@varka/mesh/install/addresses.ts';
import { describe, type Problem, profileFlag } from '../errors.ts';
import { applyAll } from '../manifests/apply.ts';
import { nameOf } from '../manifests/read.ts';
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
  const applied: KubeObject[] = [];
  const gateway = { namespace: SYSTEM_NAMESPACE, name: GATEWAY_NAME };
  const targets: DeploymentName[] = [gateway];
  if (documents.length > 0) {
    const name = nameOf([...new Set(documents.map(({ path }) => path))]);
    await steps.run('apply', `applying ${name}`, async (update) => {
      await applyAll({
        client: cluster.client,
        documents: resolveKinds(documents, cluster.servedKinds()),
        namespace,
        kubeconfig: profile.kubeconfig,
        onApplied: ({ object, document }) => {
          applied.push(object);
          update(`applied ${applied.length} of ${documents.length} objects`);
          if (document.kind.kind === 'Deployment')
            targets.push({ namespace: object.metadata?.namespace ?? '', name: object.metadata?.name ?? '' });
        },
        onRejected: (problem) => problems.push(problem),
      });
      update(`applied ${applied.length} of ${documents.length} objects`);
    });
  }
  const result = await steps.run('pods', 'pods', (update) =>
    waitForDeployments({
      deployments: cluster.deployments(),
      pods: cluster.pods(),
      targets,
      timeoutMs: config.waitSeconds * 1000,
      onProgress: (ready, wanted) => update(`pods ${ready}/${wanted}`),
    }),
  );
  const notReady = unavailableProblem(result, config);
  if (notReady !== undefined) problems.push(notReady);
  const routes = cluster.informers.informer(kinds.VirtualService).list();
  return { complete: problems.length === 0, problems, tryPath: pathToTry(routes) };
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
