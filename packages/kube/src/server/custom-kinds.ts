// CustomResourceDefinitions at work: each becomes a served kind, says so in its status, and takes its objects with it.
import { isRecord } from '../kinds/conform.ts';
import { parseJsonPath } from '../kinds/json-path.ts';
import { record, records } from '../kinds/pod-template.ts';
import {
  ageColumn,
  type Column,
  type KindRow,
  nameColumn,
  pathColumn,
  resourceOf,
  type Subresources,
} from '../kinds/row.ts';
import type { Schema } from '../kinds/schema.ts';
import type { Logger } from '../log.ts';
import type { KubeObject } from '../object.ts';
import type { Store, StoreEvent } from '../store/store.ts';
import { RevisionConflict } from '../store/store-error.ts';
import { timestamp } from './context.ts';
import type { KindRegistry } from './kind-registry.ts';

const DEFINITIONS = 'customresourcedefinitions.apiextensions.k8s.io';
/** Kubernetes' name for "its objects must go first". */
const CLEANUP = 'customresourcecleanup.apiextensions.k8s.io';

interface Dependencies {
  readonly store: Store;
  readonly registry: KindRegistry;
  readonly log: Logger;
  now(): Date;
}

/** Serves the definitions that are stored and follows their changes. Returns what stops it. */
export function followCustomKinds(dependencies: Dependencies): () => void {
  const { store, registry } = dependencies;
  const apply = (definition: KubeObject) => {
    const row = rowOf(definition);
    if (registry.isBuiltIn(resourceOf(row))) return;
    if (registry.nameConflict(row) !== undefined && registry.byResource(resourceOf(row)) === undefined) return;
    registry.put(row);
  };
  for (const definition of store.list(DEFINITIONS).items) {
    apply(definition);
    settle(dependencies, definition);
  }
  const stopDefinitions = store.watch(DEFINITIONS, store.revision, (event) => {
    if (event.type === 'DELETED') registry.remove(resourceOf(rowOf(event.object)));
    else {
      apply(event.object);
      settle(dependencies, event.object);
    }
  });
  return stopDefinitions;
}

/** Brings status and finalizer to where they belong; a write by somebody else in between brings us here again. */
function settle(dependencies: Dependencies, definition: KubeObject): void {
  const step =
    definition.metadata?.deletionTimestamp === undefined
      ? establish(dependencies, definition)
      : cleanUp(dependencies, definition);
  step.catch((error: unknown) => {
    if (error instanceof RevisionConflict) return;
    dependencies.log.error('a custom resource definition could not be settled', {
      name: definition.metadata?.name,
      error: String(error),
    });
  });
}

async function establish({ store, registry, now }: Dependencies, definition: KubeObject): Promise<void> {
  const row = rowOf(definition);
  const conflict = registry.nameConflict(row);
  const status = record(definition['status']);
  const condition = (type: string, yes: boolean, reason: string, message: string) => {
    const before = records(status['conditions']).find((one) => one['type'] === type);
    const word = yes ? 'True' : 'False';
    const since = before?.['status'] === word ? before['lastTransitionTime'] : timestamp(now());
    return { type, status: word, lastTransitionTime: since, reason, message };
  };
  const conditions =
    conflict === undefined
      ? [
          condition('NamesAccepted', true, 'NoConflicts', 'no conflicts found'),
          condition('Established', true, 'InitialNamesAccepted', 'the initial names have been accepted'),
        ]
      : [
          condition('NamesAccepted', false, 'NameConflict', `"${conflict}" is already in use`),
          condition('Established', false, 'NotAccepted', 'not all names are accepted'),
        ];
  const stored = new Set([
    ...(Array.isArray(status['storedVersions']) ? status['storedVersions'] : []),
    row.storageVersion,
  ]);
  const next: KubeObject = {
    ...definition,
    metadata: {
      ...definition.metadata,
      finalizers: [...new Set([...(definition.metadata?.finalizers ?? []), CLEANUP])],
    },
    status: { ...status, conditions, acceptedNames: record(definition['spec'])['names'], storedVersions: [...stored] },
  };
  if (JSON.stringify(next) === JSON.stringify(definition)) return;
  await store.replace(DEFINITIONS, next, definition.metadata?.resourceVersion ?? '');
}

/** Deletes the kind's objects; when none is left, lets the definition go. */
async function cleanUp({ store, registry, now }: Dependencies, definition: KubeObject): Promise<void> {
  const finalizers = definition.metadata?.finalizers ?? [];
  if (!finalizers.includes(CLEANUP)) return;
  const resource = resourceOf(rowOf(definition));
  if (!registry.isBuiltIn(resource)) {
    for (const object of store.list(resource).items) {
      const { finalizers: held = [], deletionTimestamp, resourceVersion = '' } = object.metadata ?? {};
      if (held.length === 0) await store.remove(resource, object, resourceVersion);
      else if (deletionTimestamp === undefined) {
        const metadata = { ...object.metadata, deletionTimestamp: timestamp(now()), deletionGracePeriodSeconds: 0 };
        await store.replace(resource, { ...object, metadata }, resourceVersion);
      }
    }
    if (store.list(resource).items.length > 0) await emptied(store, resource);
  }
  const current = store.get(DEFINITIONS, undefined, definition.metadata?.name ?? '');
  if (current === undefined) return;
  const left = (current.metadata?.finalizers ?? []).filter((one) => one !== CLEANUP);
  const { finalizers: _, ...metadata } = current.metadata ?? {};
  const next = { ...current, metadata: left.length === 0 ? metadata : { ...metadata, finalizers: left } };
  const revision = current.metadata?.resourceVersion ?? '';
  if (left.length === 0) await store.remove(DEFINITIONS, next, revision);
  else await store.replace(DEFINITIONS, next, revision);
}

/** Resolves when the last object of the resource has gone. */
function emptied(store: Store, resource: string): Promise<void> {
  return new Promise((resolve) => {
    const stop = store.watch(resource, store.revision, (_event: StoreEvent) => {
      if (store.list(resource).items.length > 0) return;
      stop();
      resolve();
    });
  });
}

/** The row that a definition describes. */
export function rowOf(definition: KubeObject): KindRow {
  const spec = record(definition['spec']);
  const names = record(spec['names']);
  const all = records(spec['versions']);
  const served = all.filter((version) => version['served'] === true);
  const storage = all.find((version) => version['storage'] === true) ?? all[0] ?? {};
  const schemas = Object.fromEntries(served.map((version) => [String(version['name']), schemaOfVersion(version)]));
  const shortNames = texts(names['shortNames']);
  const categories = texts(names['categories']);
  return {
    group: String(spec['group']),
    kind: String(names['kind']),
    plural: String(names['plural']),
    singular: String(names['singular'] ?? String(names['kind']).toLowerCase()),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    namespaced: spec['scope'] === 'Namespaced',
    versions: served.map((version) => String(version['name'])),
    storageVersion: String(storage['name']),
    schema: schemaOfVersion(storage),
    versionSchemas: schemas,
    columns: columnsOf(storage),
    decoding: 'custom',
    subresources: subresourcesOf(storage),
    selectableFields: selectableFieldsOf(storage),
  };
}

function schemaOfVersion(version: Record<string, unknown>): Schema {
  const schema = record(version['schema'])['openAPIV3Schema'];
  // Users' schemas are structural, which is what the walker reads; apiVersion, kind and metadata are ours.
  return isRecord(schema) ? (schema as Schema) : { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
}

function columnsOf(version: Record<string, unknown>): Column[] {
  const own = records(version['additionalPrinterColumns']).map((column) =>
    pathColumn(
      String(column['name']),
      String(column['jsonPath']),
      String(column['description'] ?? ''),
      column['type'] as Column['type'],
      Number(column['priority'] ?? 0),
    ),
  );
  return own.length === 0 ? [nameColumn, ageColumn] : [nameColumn, ...own];
}

function subresourcesOf(version: Record<string, unknown>): Subresources {
  const { status, scale } = record(version['subresources']);
  const paths = record(scale);
  return {
    ...(status === undefined ? {} : { status: true }),
    ...(scale === undefined
      ? {}
      : {
          scale: {
            specReplicasPath: String(paths['specReplicasPath']),
            statusReplicasPath: String(paths['statusReplicasPath']),
            ...(typeof paths['labelSelectorPath'] === 'string'
              ? { labelSelectorPath: paths['labelSelectorPath'] }
              : {}),
          },
        }),
  };
}

function selectableFieldsOf(version: Record<string, unknown>): Record<string, (object: KubeObject) => string> {
  return Object.fromEntries(
    records(version['selectableFields']).map((field) => {
      const path = String(field['jsonPath']);
      const read = parseJsonPath(path);
      return [path.replace(/^\./, ''), (object: KubeObject) => String(read?.(object) ?? '')];
    }),
  );
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
