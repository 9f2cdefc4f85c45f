// Who manages which fields of an object: `metadata.managedFields`, kept by every write of somebody who has a name.
import { isRecord } from '../../kinds/conform.ts';
import { apiVersionOf } from '../../kinds/kind.ts';
import { record, records } from '../../kinds/pod-template.ts';
import type { Schema } from '../../kinds/schema.ts';
import type { KubeObject } from '../../object.ts';
import { StatusError } from '../../status-error.ts';
import { CONTAINER, difference, type FieldValues, fieldValues, isNobodys } from './fields.ts';
import { mergeApplied, withoutAbandoned } from './merge.ts';
import { fromFieldsV1, type Path, pathText, toFieldsV1 } from './paths.ts';

export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource?: string;
}

export interface Entry extends Manager {
  readonly time?: string;
  readonly fields: ReadonlySet<Path>;
}

/** What `kubectl apply` without --server-side calls itself, and where it keeps what it applied. */
const CLIENT_SIDE = 'kubectl-client-side-apply';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

export function entriesOf(object: KubeObject): Entry[] {
  return records(object.metadata?.managedFields).map((entry) => ({
    name: String(entry['manager'] ?? ''),
    operation: entry['operation'] === 'Apply' ? 'Apply' : 'Update',
    apiVersion: String(entry['apiVersion'] ?? ''),
    ...(typeof entry['subresource'] === 'string' && entry['subresource'] !== ''
      ? { subresource: entry['subresource'] }
      : {}),
    ...(typeof entry['time'] === 'string' ? { time: entry['time'] } : {}),
    fields: fromFieldsV1(entry['fieldsV1']),
  }));
}

/** As they stand in the object: appliers first, then by time (managedfields.go sortEncodedManagedFields). */
export function toManagedFields(entries: readonly Entry[]): object[] {
  const rank = ({ operation, time = '', name }: Entry) => `${operation} ${time} ${name}`;
  return [...entries]
    .filter(({ fields }) => fields.size > 0)
    .sort((left, right) => (rank(left) < rank(right) ? -1 : 1))
    .map(({ name, operation, apiVersion, time, subresource, fields }) => ({
      manager: name,
      operation,
      apiVersion,
      ...(time === undefined ? {} : { time }),
      fieldsType: 'FieldsV1',
      fieldsV1: toFieldsV1(fields),
      ...(subresource === undefined ? {} : { subresource }),
    }));
}

/** An applier is the same whatever version it speaks. */
const same = (left: Manager, right: Manager): boolean =>
  left.name === right.name &&
  left.operation === right.operation &&
  left.subresource === right.subresource &&
  (left.operation === 'Apply' || left.apiVersion === right.apiVersion);

/** Status belongs to its own subresource, and nobody applies to it through the main one. */
const within = (paths: Iterable<Path>, subresource: string | undefined): Set<Path> =>
  new Set(
    [...paths].filter((path) => !isNobodys(path) && /^f:status(?:\0|$)/.test(path) === (subresource === 'status')),
  );

/** The entries after a write that is no apply: its manager owns what it changed, and nobody what it removed. */
export function afterUpdate(
  entries: readonly Entry[],
  before: KubeObject | undefined,
  after: KubeObject,
  schema: Schema,
  manager: Manager,
  time: string,
): Entry[] {
  const values = (object: KubeObject | undefined): FieldValues => fieldValues(object ?? {}, schema);
  const { changed, removed } = difference(values(before), values(after));
  const own = within(changed, manager.subresource);
  if (own.size === 0 && removed.size === 0) return [...entries];
  const others = entries
    .filter((entry) => !same(entry, manager))
    .map((entry) => ({ ...entry, fields: minus(entry.fields, own, removed) }));
  const previous = entries.find((entry) => same(entry, manager));
  const fields = new Set([...minus(previous?.fields ?? [], removed), ...own]);
  return [...others, { ...manager, time, fields }];
}

function minus(paths: Iterable<Path>, ...taken: readonly ReadonlySet<Path>[]): Set<Path> {
  return new Set([...paths].filter((path) => !taken.some((one) => one.has(path))));
}

export interface Applied {
  /** The wanted object, not yet defaulted. */
  readonly object: KubeObject;
  readonly entries: readonly Entry[];
}

/** Applies a configuration to an object. Throws 409 when it changes what others manage, unless `force`. */
export function applyConfiguration(
  live: KubeObject,
  config: KubeObject,
  schema: Schema,
  manager: Manager,
  force: boolean,
  time: string,
): Applied {
  const { managedFields: _, ...metadata } = live.metadata ?? {};
  const bare: KubeObject = { ...live, metadata };
  const entries = entriesOf(live);
  const known = entries.length > 0 ? entries : [unknownPast(bare, schema, manager.apiVersion)];
  const applied = new Set(fieldValues(config, schema).keys());
  const previous = known.find((entry) => same(entry, manager));
  const own: Entry = { ...manager, time, fields: within(applied, manager.subresource) };
  const others = known.filter((entry) => entry !== previous);
  const merged = mergeApplied(bare, config, schema);
  const owned = [...others, own].flatMap((entry) => [...entry.fields]);
  const wanted = withoutAbandoned(merged, previous?.fields ?? [], [...owned, ...applied], schema) as KubeObject;
  const after = fieldValues(wanted, schema);
  const { changed, removed } = difference(fieldValues(bare, schema), after);
  if (!force) {
    // What is empty now, or there at all now, is nobody's loss.
    const values = [...changed].filter((path) => after.get(path) !== CONTAINER);
    refuseConflicts(others, minus(values, new Set(lastApplied(live, schema, manager))));
  }
  const left = others.map((entry) => ({ ...entry, fields: minus(entry.fields, changed, removed) }));
  if (manager.name === 'kubectl') renewLastApplied(wanted, config);
  const isSame = previous !== undefined && equal(previous.fields, own.fields);
  return { object: wanted, entries: [...left, isSame ? previous : own] };
}

const equal = (left: ReadonlySet<Path>, right: ReadonlySet<Path>): boolean =>
  left.size === right.size && [...left].every((path) => right.has(path));

/** What was there before anybody kept account of it belongs to one manager together. */
function unknownPast(live: KubeObject, schema: Schema, apiVersion: string): Entry {
  const applied = live.metadata?.annotations?.[LAST_APPLIED] !== undefined;
  const fields = within(fieldValues(live, schema).keys(), undefined);
  return { name: applied ? CLIENT_SIDE : 'before-first-apply', operation: 'Update', apiVersion, fields };
}

/** kubectl goes on where its own client-side apply left off: what that applied is no conflict. */
function lastApplied(live: KubeObject, schema: Schema, manager: Manager): Iterable<Path> {
  const text = live.metadata?.annotations?.[LAST_APPLIED];
  if (manager.name !== 'kubectl' || text === undefined) return [];
  try {
    const before: unknown = JSON.parse(text);
    return isRecord(before) ? fieldValues(before, schema).keys() : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

/** While client-side apply's record is there, it tells the truth. */
function renewLastApplied(wanted: KubeObject, config: KubeObject): void {
  const annotations = wanted.metadata?.annotations;
  if (annotations?.[LAST_APPLIED] === undefined) return;
  wanted.metadata = {
    ...wanted.metadata,
    annotations: { ...annotations, [LAST_APPLIED]: `${JSON.stringify(config)}\n` },
  };
}

/** Kubernetes' words (managedfields/internal/conflict.go). */
function refuseConflicts(others: readonly Entry[], changed: ReadonlySet<Path>): void {
  const conflicts = others
    .map((entry) => ({ who: managerText(entry), paths: [...entry.fields].filter((path) => changed.has(path)).sort() }))
    .filter(({ paths }) => paths.length > 0);
  const all = conflicts.flatMap(({ who, paths }) => paths.map((path) => ({ who, field: pathText(path) })));
  const [first] = all;
  if (first === undefined) return;
  const message =
    all.length === 1
      ? `Apply failed with 1 conflict: conflict with ${first.who}: ${first.field}`
      : `Apply failed with ${all.length} conflicts: ${conflicts
          .flatMap(({ who, paths }) => [`conflicts with ${who}:`, ...paths.map((path) => `- ${pathText(path)}`)])
          .join('\n')}`;
  throw StatusError.of(409, 'Conflict', message, {
    causes: all.map(({ who, field }) => ({ reason: 'FieldManagerConflict', message: `conflict with ${who}`, field })),
  });
}

function managerText({ name, operation, apiVersion, subresource }: Entry): string {
  const text = JSON.stringify(name);
  if (operation === 'Apply') return text;
  return `${text}${subresource === undefined ? '' : ` with subresource ${JSON.stringify(subresource)}`} using ${apiVersion}`;
}

/** Checks what cannot be applied at all. */
export function checkConfiguration(config: unknown, row: { group: string; kind: string }, version: string): void {
  if (!isRecord(config)) throw StatusError.badRequest('an apply configuration must be an object');
  if (config['apiVersion'] !== apiVersionOf({ group: row.group, version }) || config['kind'] !== row.kind) {
    throw StatusError.badRequest(
      `an apply configuration needs apiVersion ${apiVersionOf({ group: row.group, version })} and kind ${row.kind}`,
    );
  }
  if (record(config['metadata'])['managedFields'] !== undefined)
    throw StatusError.badRequest('metadata.managedFields must be nil');
}
