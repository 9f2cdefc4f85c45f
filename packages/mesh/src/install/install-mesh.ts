// Puts the mesh's own objects into the API, at the first start and at every later one.
import type { KubeClient } from '@varka/kube/client/client.ts';
import type { KindRef } from '@varka/kube/kinds/kind.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import { isStatus } from '@varka/kube/status-error.ts';
import { mergePatch } from './merge-patch.ts';
import { type Manifest, type MeshOptions, meshNamespaces, meshObjects } from './mesh-objects.ts';

/** What we installed last time. As with `kubectl apply`: the difference between it and what we install now is what
 * changes on the server, so a user's own edits to other fields outlive an upgrade. */
const LAST_INSTALLED = 'varka.dev/last-installed';

export type InstallResult = 'created' | 'updated' | 'unchanged';

export interface Installed {
  /** `services/kubernetes`, with the namespace where there is one: `default/services/kubernetes`. */
  readonly name: string;
  readonly result: InstallResult;
}

export async function installMesh(client: KubeClient, options: MeshOptions): Promise<Installed[]> {
  const installAll = (manifests: readonly Manifest[]) =>
    Promise.all(manifests.map((manifest) => installOne(client, manifest)));
  const namespaces = await installAll(meshNamespaces());
  return [...namespaces, ...(await installAll(meshObjects(options)))];
}

async function installOne(client: KubeClient, manifest: Manifest): Promise<Installed> {
  const { kind, object, users } = manifest;
  const { name = '', namespace } = object.metadata ?? {};
  const label = [namespace, kind.plural, name].filter((part) => part !== undefined).join('/');
  // Asked for first: creating a Service that is there already fails for its address, before it does for its name.
  const live = await existing(client, kind, name, namespace);
  if (live === undefined) {
    try {
      await client.create(kind, users === true ? object : withRecord(object, object));
      return { name: label, result: 'created' };
    } catch (error) {
      // Somebody made it just now, as the API server may make `default`.
      if (isStatus(error, 'AlreadyExists')) return installOne(client, manifest);
      throw error;
    }
  }
  const patch = users === true ? {} : mergePatch(lastInstalled(live), object);
  if (Object.keys(patch).length === 0) return { name: label, result: 'unchanged' };
  await client.patch(kind, name, namespace, withRecord(patch, object), { type: 'merge' });
  return { name: label, result: 'updated' };
}

async function existing(
  client: KubeClient,
  kind: KindRef,
  name: string,
  namespace: string | undefined,
): Promise<KubeObject | undefined> {
  try {
    return await client.get<KubeObject>(kind, name, namespace);
  } catch (error) {
    if (isStatus(error, 'NotFound')) return undefined;
    throw error;
  }
}

function withRecord<T extends KubeObject>(target: T, installed: KubeObject): T {
  return {
    ...target,
    metadata: {
      ...target.metadata,
      annotations: { ...target.metadata?.annotations, [LAST_INSTALLED]: JSON.stringify(installed) },
    },
  };
}

/** Nothing, for an object that somebody else made, or whose record is damaged: then all that we say is set again. */
function lastInstalled(live: KubeObject): Record<string, unknown> {
  const record = live.metadata?.annotations?.[LAST_INSTALLED];
  if (record === undefined) return {};
  try {
    return JSON.parse(record) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
