// Creating and changing objects: the steps every write goes through, in their order.
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { isRecord } from '../kinds/conform.ts';
import { generatedName } from '../kinds/generated-name.ts';
import { apiVersionOf } from '../kinds/kind.ts';
import { record } from '../kinds/pod-template.ts';
import { type KindRow, refOf, resourceOf, type View } from '../kinds/row.ts';
import type { KubeObject, ObjectMeta, StatusCause } from '../object.ts';
import { isStatus, StatusError } from '../status-error.ts';
import { RevisionConflict } from '../store/store-error.ts';
import type { AdmissionRequest } from './admission.ts';
import {
  afterUpdate,
  applyConfiguration,
  checkConfiguration,
  type Entry,
  entriesOf,
  type Manager,
  toManagedFields,
} from './apply/managers.ts';
import { inVersion, type ServerContext, type Target, timestamp } from './context.ts';
import { isFinished } from './deletion-state.ts';
import { decodeObject, metadataProblems, schemaOf } from './object-check.ts';
import { checkIdentity, finalizerProblems, hasGeneration, keptMetadata, setGeneration } from './object-metadata.ts';
import type { ApplyOptions, WriteOptions } from './write-options.ts';

type NamedTarget = Target & { readonly name: string };

/** What an object is to be, and for an apply who manages what in it. */
interface Change {
  readonly body: unknown;
  readonly entries?: readonly Entry[];
}

/** Rounds of read, change and write before a busy object is given up on. */
const MAX_ATTEMPTS = 20;

export class Writer {
  readonly #context: ServerContext;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  create(target: Target, body: unknown, options: WriteOptions): Promise<KubeObject> {
    return this.#create(target, { body }, options);
  }

  async #create(target: Target, { body, entries }: Change, options: WriteOptions): Promise<KubeObject> {
    const { row, version, namespace } = target;
    if (row.view !== undefined) {
      const kept = this.#kept(row, version, body, options);
      return inVersion(await this.create(behindView(target, row.view), kept, options), row, version);
    }
    const decoded = decodeObject(row, version, body, options.fieldValidation, options.warnings);
    const draft = decoded.object;
    draft.metadata = this.#newMetadata(draft.metadata ?? {}, target);
    this.#requireNamespace(row, namespace, draft);
    if (row.subresources?.status === true && row.rules?.keepsStatusOnCreate !== true) delete draft['status'];
    row.rules?.prepareCreate?.(draft);
    this.#refuseIfInvalid(row, draft, [...decoded.causes, ...(row.rules?.validate?.(draft) ?? [])]);
    const admitted = await this.#admit(target, { operation: 'CREATE', object: draft }, options);
    options.guard?.(admitted);
    if (entries !== undefined || options.named)
      setEntries(admitted, entries ?? this.#afterUpdate([], undefined, admitted, target, options));
    const release = resourceOf(row) === 'services' ? this.#context.addresses.assign(admitted) : undefined;
    try {
      if (options.dryRun) {
        if (this.#context.store.get(resourceOf(row), namespace, admitted.metadata?.name ?? '') !== undefined)
          throw this.#exists(row, admitted);
        return inVersion(admitted, row, version);
      }
      const stored = await this.#context.store.create(resourceOf(row), inVersion(admitted, row, row.storageVersion));
      return inVersion(stored, row, version);
    } catch (error) {
      throw error instanceof RevisionConflict ? this.#exists(row, admitted) : error;
    } finally {
      release?.();
    }
  }

  /**
   * Changes an object: `change` gets the current one, in the client's version, and returns the wanted one.
   * When others write in between it is asked again, unless the wanted one names a revision.
   */
  update(target: NamedTarget, change: (current: KubeObject) => unknown, options: WriteOptions): Promise<KubeObject> {
    return this.#update(target, (current) => ({ body: change(current) }), options);
  }

  /** Server-side apply: creates the object, or brings what the manager has applied before up to date. */
  async apply(
    target: NamedTarget,
    config: unknown,
    options: ApplyOptions,
  ): Promise<{ readonly object: KubeObject; readonly created: boolean }> {
    const { row, version, namespace, name, subresource } = target;
    checkConfiguration(config, row, version);
    const given = decodeObject(row, version, config, options.fieldValidation, options.warnings, { defaults: false });
    if (row.view !== undefined) {
      const { of } = row.view;
      const kept = {
        ...row.view.keep(given.object),
        apiVersion: apiVersionOf({ group: of.group, version: of.storageVersion }),
        kind: of.kind,
      };
      const applied = await this.apply(behindView(target, row.view), kept, options);
      return { ...applied, object: inVersion(applied.object, row, version) };
    }
    const schema = schemaOf(row, version);
    const manager: Manager = {
      name: options.manager,
      operation: 'Apply',
      apiVersion: apiVersionOf({ group: row.group, version }),
      ...(subresource === undefined ? {} : { subresource }),
    };
    const apply = (live: KubeObject): Change => {
      const { object, entries } = applyConfiguration(
        live,
        given.object,
        schema,
        manager,
        options.force,
        timestamp(this.#context.now()),
      );
      return { body: object, entries };
    };
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      try {
        if (this.#context.store.get(resourceOf(row), namespace, name) !== undefined)
          return { object: await this.#update(target, apply, options), created: false };
        options.requireCreate();
        const metadata = { ...given.object.metadata, name };
        if (subresource !== undefined) throw StatusError.notFound(row, name);
        if (metadata.uid !== undefined || (metadata.resourceVersion ?? '') !== '')
          throw StatusError.conflict(
            row,
            name,
            'the configuration names a uid or resourceVersion, and there is no such object',
          );
        const { entries = [] } = apply({});
        const created = await this.#create(target, { body: { ...given.object, metadata }, entries }, options);
        return { object: created, created: true };
      } catch (error) {
        // Somebody created it in between, or deleted it.
        const there = this.#context.store.get(resourceOf(row), namespace, name) !== undefined;
        if (!isStatus(error, there ? 'AlreadyExists' : 'NotFound') || subresource !== undefined) throw error;
      }
    }
    throw StatusError.conflict(row, name);
  }

  async #update(
    target: NamedTarget,
    change: (current: KubeObject) => Change,
    options: WriteOptions,
  ): Promise<KubeObject> {
    const { row, version, namespace, name, subresource } = target;
    if (row.view !== undefined) {
      const keptChange = (current: KubeObject) =>
        this.#kept(row, version, change(inVersion(current, row, version)).body, options, current);
      return inVersion(await this.update(behindView(target, row.view), keptChange, options), row, version);
    }
    const resource = resourceOf(row);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const stored = this.#context.store.get(resource, namespace, name);
      if (stored === undefined) throw StatusError.notFound(row, name);
      const current = inVersion(stored, row, version);
      const warnings: string[] = [];
      const { body, entries } = change(current);
      const decoded = decodeObject(row, version, body, options.fieldValidation, warnings);
      const draft = decoded.object;
      checkIdentity(row, draft, current, namespace);
      draft.metadata = keptMetadata(draft.metadata ?? {}, current.metadata ?? {}, row);
      const wanted =
        subresource === undefined ? this.#mainPart(row, draft, current) : subresourcePart(draft, current, subresource);
      const unchanged = isDeepStrictEqual(wanted, current);
      if (!unchanged) {
        const causes = [
          ...decoded.causes,
          ...finalizerProblems(wanted, current),
          ...(row.rules?.validate?.(wanted, current) ?? []),
        ];
        this.#refuseIfInvalid(row, wanted, causes);
      }
      const admitted = unchanged
        ? wanted
        : await this.#admit(
            target,
            { operation: 'UPDATE', object: wanted, oldObject: current },
            { ...options, warnings },
          );
      options.warnings.push(...warnings);
      if (!unchanged) options.guard?.(admitted);
      const known = givenEntries(body) ?? entriesOf(current);
      if (entries !== undefined) setEntries(admitted, entries);
      else if (subresource === undefined && (options.named || known.length > 0))
        setEntries(admitted, this.#afterUpdate(known, current, admitted, target, options));
      if (isDeepStrictEqual(admitted, current)) return current;
      setGeneration(admitted, current);
      const release =
        resource === 'services' && subresource === undefined ? this.#context.addresses.assign(admitted) : undefined;
      try {
        if (options.dryRun) return admitted;
        const revision = stored.metadata?.resourceVersion ?? '';
        const next = inVersion(admitted, row, row.storageVersion);
        // The last finalizer or grace period has gone: this write is what ends the object.
        const result = isFinished(row, next)
          ? await this.#context.store.remove(resource, next, revision)
          : await this.#context.store.replace(resource, next, revision);
        return inVersion(result, row, version);
      } catch (error) {
        if (!(error instanceof RevisionConflict)) throw error;
        options.warnings.length = 0;
      } finally {
        release?.();
      }
    }
    throw StatusError.conflict(row, name);
  }

  #afterUpdate(
    entries: readonly Entry[],
    before: KubeObject | undefined,
    after: KubeObject,
    { row, version }: Target,
    options: WriteOptions,
  ): Entry[] {
    const manager: Manager = {
      name: options.manager,
      operation: 'Update',
      apiVersion: apiVersionOf({ group: row.group, version }),
      ...(options.subresource === undefined ? {} : { subresource: options.subresource }),
    };
    return afterUpdate(entries, before, after, schemaOf(row, version), manager, timestamp(this.#context.now()));
  }

  /** What a client wrote of a kind that is a view, as the object that is kept. */
  #kept(row: KindRow, version: string, body: unknown, options: WriteOptions, current?: KubeObject): unknown {
    const { object, causes } = decodeObject(row, version, body, options.fieldValidation, options.warnings);
    if (causes.length > 0) throw StatusError.invalid(row, object.metadata?.name ?? '', causes);
    const { apiVersion: _, kind: __, ...kept } = row.view?.keep(object, current) ?? object;
    return kept;
  }

  #newMetadata(given: ObjectMeta, { row, namespace }: Target): ObjectMeta {
    if (given.resourceVersion !== undefined && given.resourceVersion !== '') {
      throw StatusError.badRequest('resourceVersion should not be set on objects to be created');
    }
    if (given.namespace !== undefined && given.namespace !== (namespace ?? '')) {
      throw StatusError.badRequest(
        `the namespace of the provided object does not match the namespace sent on the request`,
      );
    }
    const {
      generateName,
      namespace: _,
      deletionTimestamp: __,
      deletionGracePeriodSeconds: ___,
      generation: _g,
      resourceVersion: ____,
      ...rest
    } = given;
    const name =
      given.name !== undefined && given.name !== ''
        ? given.name
        : generateName !== undefined && generateName !== ''
          ? generatedName(generateName, Math.random)
          : '';
    return {
      name,
      ...(generateName === undefined ? {} : { generateName }),
      ...(row.namespaced && namespace !== undefined ? { namespace } : {}),
      ...rest,
      ...(name === '' ? {} : { name }),
      uid: randomUUID(),
      creationTimestamp: timestamp(this.#context.now()),
      ...(hasGeneration(row) ? { generation: 1 } : {}),
    };
  }

  #requireNamespace(row: KindRow, namespace: string | undefined, draft: KubeObject): void {
    if (!row.namespaced || namespace === undefined) return;
    const found = this.#context.store.get('namespaces', undefined, namespace);
    if (found === undefined) throw StatusError.notFound({ group: '', plural: 'namespaces' }, namespace);
    if (found.metadata?.deletionTimestamp !== undefined) {
      throw StatusError.namespaceTerminating(row, draft.metadata?.name ?? '', namespace);
    }
  }

  #mainPart(row: KindRow, draft: KubeObject, current: KubeObject): KubeObject {
    if (row.subresources?.status === true) {
      if (current['status'] === undefined) delete draft['status'];
      else draft['status'] = current['status'];
    }
    row.rules?.prepareUpdate?.(draft, current);
    return draft;
  }

  #refuseIfInvalid(row: KindRow, object: KubeObject, causes: readonly StatusCause[]): void {
    const all = [...metadataProblems(row, object), ...causes];
    if (all.length > 0) throw StatusError.invalid(row, object.metadata?.name ?? '', all);
  }

  /** Asks the plugins in their order; what they change is checked again. */
  async #admit(
    target: Target,
    ask: Pick<AdmissionRequest, 'operation' | 'object' | 'oldObject'>,
    options: WriteOptions,
  ): Promise<KubeObject> {
    const { row, version, namespace, subresource } = target;
    if (subresource !== undefined) return ask.object;
    if (row.notice !== undefined) options.warnings.push(row.notice);
    let object = ask.object;
    for (const plugin of this.#context.admission) {
      const answer = await plugin.admit({
        ...ask,
        object: inVersion(object, row, row.storageVersion),
        kind: refOf(row),
        ...(namespace === undefined ? {} : { namespace }),
      });
      if (!answer.allowed) {
        throw StatusError.denied(plugin.name, answer.message);
      }
      options.warnings.push(...(answer.warnings ?? []));
      if (answer.object === undefined) continue;
      const decoded = decodeObject(row, version, inVersion(answer.object, row, version), 'Strict', options.warnings);
      object = decoded.object;
      this.#refuseIfInvalid(row, object, [...decoded.causes, ...(row.rules?.validate?.(object, ask.oldObject) ?? [])]);
    }
    return object;
  }

  #exists(row: KindRow, object: KubeObject): StatusError {
    return StatusError.alreadyExists(row, object.metadata?.name ?? '');
  }
}

/** The managers that a client wrote into the object itself, as kubectl does when it takes over from client-side apply. */
function givenEntries(body: unknown): Entry[] | undefined {
  const object: KubeObject = isRecord(body) ? body : {};
  return object.metadata?.managedFields === undefined ? undefined : entriesOf(object);
}

function setEntries(object: KubeObject, entries: readonly Entry[]): void {
  const { managedFields: _, ...metadata } = object.metadata ?? {};
  const kept = toManagedFields(entries);
  object.metadata = kept.length === 0 ? metadata : { ...metadata, managedFields: kept };
}

/** The kind whose objects a view shows. */
const behindView = <T extends Target>(target: T, view: View): T => ({
  ...target,
  row: view.of,
  version: view.of.storageVersion,
});

/** A write to a subresource changes its own part only; the rest stays as stored. */
function subresourcePart(draft: KubeObject, current: KubeObject, subresource: string): KubeObject {
  if (subresource === 'finalize') {
    return { ...current, spec: { ...record(current['spec']), finalizers: record(draft['spec'])['finalizers'] ?? [] } };
  }
  const { status, ...rest } = current;
  return draft['status'] === undefined ? rest : { ...rest, status: draft['status'] };
}
