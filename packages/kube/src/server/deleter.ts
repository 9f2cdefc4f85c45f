// Deleting objects: at once, gracefully, or when the last finalizer has gone.
import { isRecord } from '../kinds/conform.ts';
import { record } from '../kinds/pod-template.ts';
import { type KindRow, refOf, resourceOf } from '../kinds/row.ts';
import type { KubeObject, ObjectMeta, Status } from '../object.ts';
import { StatusError } from '../status-error.ts';
import { RevisionConflict } from '../store/store-error.ts';
import { inVersion, type ServerContext, type Target, timestamp } from './context.ts';
import { FOREGROUND, isFinished, isNamespace, isPod, namespaceFinalizers, ORPHAN } from './deletion-state.ts';

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun: boolean;
}

/** `gone` with a Status when nothing is left, else the object as it waits for its end. */
export type Deletion =
  | { readonly gone: true; readonly object: KubeObject; readonly status: Status }
  | { readonly gone: false; readonly object: KubeObject };

const MAX_ATTEMPTS = 20;

/** meta/v1 DeleteOptions, from the body and the query; the query counts where the body is silent. */
export function deleteOptionsOf(body: unknown, query: URLSearchParams): DeleteOptions {
  const given = body === undefined ? {} : body;
  if (!isRecord(given)) throw StatusError.badRequest('the body of a delete must be a DeleteOptions object');
  const grace = given['gracePeriodSeconds'] ?? numberOf(query, 'gracePeriodSeconds');
  if (grace !== undefined && grace !== null && (!Number.isInteger(grace) || Number(grace) < 0)) {
    throw StatusError.badRequest(
      `gracePeriodSeconds: Invalid value: ${JSON.stringify(grace)}: must be a whole number, not below 0`,
    );
  }
  const orphan = given['orphanDependents'];
  const policy =
    given['propagationPolicy'] ??
    query.get('propagationPolicy') ??
    (orphan === true ? 'Orphan' : orphan === false ? 'Background' : undefined);
  if (policy !== undefined && policy !== 'Orphan' && policy !== 'Background' && policy !== 'Foreground') {
    throw StatusError.badRequest(
      `propagationPolicy: Unsupported value: ${JSON.stringify(policy)}: supported values: "Background", "Foreground", "Orphan"`,
    );
  }
  const { uid, resourceVersion } = record(given['preconditions']);
  const dryRun = [...(Array.isArray(given['dryRun']) ? given['dryRun'] : []), ...query.getAll('dryRun')].includes(
    'All',
  );
  return {
    dryRun,
    ...(typeof grace === 'number' ? { gracePeriodSeconds: grace } : {}),
    ...(policy === undefined ? {} : { propagationPolicy: policy }),
    preconditions: {
      ...(typeof uid === 'string' ? { uid } : {}),
      ...(typeof resourceVersion === 'string' ? { resourceVersion } : {}),
    },
  };
}

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  return text === null || text === '' ? undefined : Number(text);
}

export class Deleter {
  readonly #context: ServerContext;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  async delete(
    target: Target & { readonly name: string },
    options: DeleteOptions,
    warnings: string[],
  ): Promise<Deletion> {
    const { row, version, namespace, name } = target;
    if (row.view !== undefined) {
      const { of } = row.view;
      const deletion = await this.delete({ ...target, row: of, version: of.storageVersion }, options, warnings);
      return { ...deletion, object: inVersion(deletion.object, row, version) };
    }
    const { store } = this.#context;
    const resource = resourceOf(row);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const current = store.get(resource, namespace, name);
      if (current === undefined) throw StatusError.notFound(row, name);
      checkPreconditions(row, current, options);
      await this.#admit(row, namespace, current, warnings);
      const next = this.#marked(row, current, options);
      const revision = current.metadata?.resourceVersion ?? '';
      try {
        if (isFinished(row, next)) {
          const last = options.dryRun ? current : await store.remove(resource, current, revision);
          return { gone: true, object: inVersion(last, row, version), status: success(row, last) };
        }
        if (options.dryRun || next === current) return { gone: false, object: inVersion(next, row, version) };
        return { gone: false, object: inVersion(await store.replace(resource, next, revision), row, version) };
      } catch (error) {
        if (!(error instanceof RevisionConflict)) throw error;
      }
    }
    throw StatusError.conflict(row, name);
  }

  /** The object with the marks of its deletion; itself when it has them already. */
  #marked(row: KindRow, current: KubeObject, options: DeleteOptions): KubeObject {
    const metadata = current.metadata ?? {};
    const grace = isPod(row) ? podGrace(current, options.gracePeriodSeconds) : 0;
    const finalizers = finalizersFor(metadata.finalizers ?? [], options.propagationPolicy);
    const since = metadata.deletionTimestamp;
    // A second delete may shorten the grace period, never lengthen it.
    const shorter = since === undefined || grace < (metadata.deletionGracePeriodSeconds ?? 0);
    if (!shorter && sameList(finalizers, metadata.finalizers ?? [])) return current;
    const end = new Date(this.#context.now().getTime() + grace * 1000);
    const { finalizers: _, ...rest } = metadata;
    const waitsForContent = isNamespace(row) && namespaceFinalizers(current).length > 0;
    const marked: ObjectMeta = {
      ...rest,
      ...(shorter ? { deletionTimestamp: timestamp(end) } : {}),
      ...(shorter && !waitsForContent ? { deletionGracePeriodSeconds: grace } : {}),
      ...(since === undefined && rest.generation !== undefined ? { generation: rest.generation + 1 } : {}),
      ...(finalizers.length === 0 ? {} : { finalizers: [...finalizers] }),
    };
    const next: KubeObject = { ...current, metadata: marked };
    if (waitsForContent) next['status'] = { ...record(current['status']), phase: 'Terminating' };
    return next;
  }

  async #admit(row: KindRow, namespace: string | undefined, object: KubeObject, warnings: string[]): Promise<void> {
    for (const plugin of this.#context.admission) {
      const answer = await plugin.admit({
        operation: 'DELETE',
        kind: refOf(row),
        object,
        ...(namespace === undefined ? {} : { namespace }),
      });
      if (!answer.allowed) {
        throw StatusError.denied(plugin.name, answer.message);
      }
      warnings.push(...(answer.warnings ?? []));
    }
  }
}

/** Kubernetes (pod strategy CheckGracefulDelete): a pod that no node runs, or that has ended, needs no time. */
function podGrace(pod: KubeObject, asked: number | undefined): number {
  const spec = record(pod['spec']);
  const phase = record(pod['status'])['phase'];
  if (spec['nodeName'] === undefined || spec['nodeName'] === '' || phase === 'Succeeded' || phase === 'Failed')
    return 0;
  const own = spec['terminationGracePeriodSeconds'];
  return asked ?? (typeof own === 'number' ? own : 30);
}

/** Propagation is kept as a finalizer, which the garbage collector takes away. */
function finalizersFor(current: readonly string[], policy: DeleteOptions['propagationPolicy']): readonly string[] {
  if (policy === undefined) return current;
  const others = current.filter((one) => one !== FOREGROUND && one !== ORPHAN);
  if (policy === 'Foreground') return [...others, FOREGROUND];
  return policy === 'Orphan' ? [...others, ORPHAN] : others;
}

const sameList = (left: readonly string[], right: readonly string[]): boolean =>
  left.length === right.length && left.every((one, index) => one === right[index]);

function checkPreconditions(row: KindRow, current: KubeObject, { preconditions = {} }: DeleteOptions): void {
  const { uid, resourceVersion, name = '' } = current.metadata ?? {};
  if (preconditions.uid !== undefined && preconditions.uid !== uid) {
    throw StatusError.conflict(
      row,
      name,
      `Precondition failed: UID in precondition: ${preconditions.uid}, UID in object meta: ${uid}`,
    );
  }
  if (preconditions.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
    throw StatusError.conflict(
      row,
      name,
      `Precondition failed: ResourceVersion in precondition: ${preconditions.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`,
    );
  }
}

function success(row: KindRow, object: KubeObject): Status {
  const { name = '', uid = '' } = object.metadata ?? {};
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, kind: row.plural, uid, ...(row.group === '' ? {} : { group: row.group }) },
  };
}
