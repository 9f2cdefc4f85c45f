// What every cluster has before anybody asks: the system namespaces, the default roles and the service of the API itself.
import { resourceOf } from '../kinds/row.ts';
import { RBAC_GROUP } from '../kinds/rows/role.ts';
import type { KubeObject } from '../object.ts';
import { isStatus } from '../status-error.ts';
import { DEFAULT_CLUSTER_ROLE_BINDINGS, DEFAULT_CLUSTER_ROLES } from './access/default-roles.ts';
import type { ServerContext, Target } from './context.ts';
import { Writer } from './writer.ts';

const NAMESPACES = ['default', 'kube-system', 'kube-public'] as const;

/** The address under which pods reach the API. */
export const API_SERVICE_IP = '10.96.0.1';

export async function bootstrap(context: ServerContext): Promise<void> {
  const writer = new Writer(context);
  const create = async (plural: string, object: KubeObject, namespace?: string, group = '') => {
    const row = context.registry.find(group, 'v1', plural);
    if (row === undefined) throw new Error(`the table of kinds has no ${plural}`);
    const name = object.metadata?.name ?? '';
    if (context.store.get(resourceOf(row), namespace, name) !== undefined) return;
    const target: Target = { row, version: 'v1', ...(namespace === undefined ? {} : { namespace }) };
    await writer
      .create(target, object, {
        dryRun: false,
        fieldValidation: 'Strict',
        warnings: [],
        manager: 'varka',
        named: false,
      })
      .catch((error: unknown) => {
        if (!isStatus(error, 'AlreadyExists')) throw error;
      });
  };
  for (const name of NAMESPACES) await create('namespaces', { metadata: { name } });
  for (const role of DEFAULT_CLUSTER_ROLES) await create('clusterroles', role, undefined, RBAC_GROUP);
  for (const binding of DEFAULT_CLUSTER_ROLE_BINDINGS)
    await create('clusterrolebindings', binding, undefined, RBAC_GROUP);
  await create(
    'services',
    {
      metadata: { name: 'kubernetes', labels: { component: 'apiserver', provider: 'kubernetes' } },
      spec: {
        type: 'ClusterIP',
        clusterIP: API_SERVICE_IP,
        ports: [{ name: 'https', port: 443, targetPort: 6443, protocol: 'TCP' }],
      },
    },
    'default',
  );
}
