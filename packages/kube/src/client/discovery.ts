// What an API serves, from its discovery documents (/api, /apis, and one list of resources a group version).
import { isStatus } from '../status-error.ts';
import type { DiscoveredKind } from './client.ts';

interface ResourceList {
  groupVersion?: string;
  resources?: { name: string; kind: string; namespaced: boolean; verbs?: string[] }[];
}

interface GroupList {
  groups?: { name: string; versions: { groupVersion: string }[]; preferredVersion?: { groupVersion: string } }[];
}

/** Every kind in its group's preferred version, or the first version that has it; subresources left out. */
export async function discoverKinds(get: (path: string) => Promise<unknown>): Promise<DiscoveredKind[]> {
  const [core, groups] = await Promise.all([get('/api'), get('/apis') as Promise<GroupList>]);
  const coreVersions = ((core as { versions?: string[] }).versions ?? []).map((version) => [
    { group: '', version, path: `/api/${version}` },
  ]);
  const groupVersions = (groups.groups ?? []).map((group) => {
    const preferred = group.preferredVersion?.groupVersion;
    const all = group.versions.map((version) => version.groupVersion);
    const ordered = preferred === undefined ? all : [preferred, ...all.filter((version) => version !== preferred)];
    return ordered.map((groupVersion) => ({
      group: group.name,
      version: groupVersion.slice(groupVersion.indexOf('/') + 1),
      path: `/apis/${groupVersion}`,
    }));
  });
  const perGroup = await Promise.all(
    [...coreVersions, ...groupVersions].map(async (versions) => {
      const lists = await Promise.all(
        versions.map(async (version) => ({ ...version, list: await resourceList(get, version.path) })),
      );
      const kinds = new Map<string, DiscoveredKind>();
      for (const { group, version, list } of lists) {
        for (const resource of list.resources ?? []) {
          if (resource.name.includes('/') || kinds.has(resource.name)) continue;
          kinds.set(resource.name, {
            group,
            version,
            kind: resource.kind,
            plural: resource.name,
            namespaced: resource.namespaced,
            verbs: resource.verbs ?? [],
          });
        }
      }
      return [...kinds.values()];
    }),
  );
  return perGroup.flat();
}

async function resourceList(get: (path: string) => Promise<unknown>, path: string): Promise<ResourceList> {
  try {
    return (await get(path)) as ResourceList;
  } catch (error) {
    // The last definition of the version has gone since the groups were listed.
    if (isStatus(error, 'NotFound')) return {};
    throw error;
  }
}
