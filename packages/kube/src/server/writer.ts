// Creating and changing objects: the steps every write goes through, in their order.
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { generatedName } from '../kinds/generated-name.ts';
import { forbidden } from '../kinds/names.ts';
import { record, strings } from '../kinds/pod-template.ts';
import { type KindRow, refOf, resourceOf, type View } from '../kinds/row.ts';
import type { KubeObject, ObjectMeta, StatusCause } from '../object.ts';
import { StatusError } from '../status-error.ts';
import { RevisionConflict } from '../store/store-error.ts';
import type { AdmissionRequest } from './admission.ts';
import { inVersion, type ServerContext, type Target, timestamp } from './context.ts';
import { isFinished } from './deletion-state.ts';
import { decodeObject, type FieldValidation, metadataProblems } from './object-check.ts';

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
  /** Collects what the client is told in Warning headers. */
  readonly warnings: string[];
}

/** Rounds of read, change and write before a busy object is given up on. */
const MAX_ATTEMPTS = 20;

export class Writer {
  readonly #context: ServerContext;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  async create(target: Target, body: unknown, options: WriteOptions): Promise<KubeObject> {
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
  async update(
    target: Target & { readonly name: string },
    change: (current: KubeObject) => unknown,
    options: WriteOptions,
  ): Promise<KubeObject> {
    const { row, version, namespace, name, subresource } = target;
    if (row.view !== undefined) {
      const keptChange = (current: KubeObject) =>
        this.#kept(row, version, change(inVersion(current, row, version)), options);
      return inVersion(await this.update(behindView(target, row.view), keptChange, options), row, version);
    }
    const resource = resourceOf(row);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const stored = this.#context.store.get(resource, namespace, name);
      if (stored === undefined) throw StatusError.notFound(row, name);
      const current = inVersion(stored, row, version);
      const warnings: string[] = [];
      const decoded = decodeObject(row, version, change(current), options.fieldValidation, warnings);
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

  /** What a client wrote of a kind that is a view, as the object that is kept. */
  #kept(row: KindRow, version: string, body: unknown, options: WriteOptions): unknown {
    const { object, causes } = decodeObject(row, version, body, options.fieldValidation, options.warnings);
    if (causes.length > 0) throw StatusError.invalid(row, object.metadata?.name ?? '', causes);
    const { apiVersion: _, kind: __, ...kept } = row.view?.keep(object) ?? object;
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

/** The kind whose objects a view shows. */
const behindView = <T extends Target>(target: T, view: View): T => ({
  ...target,
  row: view.of,
  version: view.of.storageVersion,
});

/** Kinds that have a spec count its changes; Namespace and Service never did. */
function hasGeneration(row: KindRow): boolean {
  return (
    row.schema.properties?.['spec'] !== undefined &&
    !(row.group === '' && (row.kind === 'Namespace' || row.kind === 'Service' || row.kind === 'Node'))
  );
}

function checkIdentity(row: KindRow, draft: KubeObject, current: KubeObject, namespace: string | undefined): void {
  const { metadata = {} } = draft;
  const name = current.metadata?.name ?? '';
  if (metadata.name !== undefined && metadata.name !== name) {
    throw StatusError.badRequest(
      `the name of the object (${metadata.name}) does not match the name on the URL (${name})`,
    );
  }
  if (metadata.namespace !== undefined && metadata.namespace !== (namespace ?? '')) {
    throw StatusError.badRequest(
      'the namespace of the provided object does not match the namespace sent on the request',
    );
  }
  if (
    metadata.resourceVersion !== undefined &&
    metadata.resourceVersion !== '' &&
    metadata.resourceVersion !== current.metadata?.resourceVersion
  ) {
    throw StatusError.conflict(row, name);
  }
  if (metadata.uid !== undefined && metadata.uid !== current.metadata?.uid) {
    throw StatusError.conflict(
      row,
      name,
      `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${current.metadata?.uid}`,
    );
  }
}

/** What the server alone sets stays as it is. */
function keptMetadata(draft: ObjectMeta, current: ObjectMeta, row: KindRow): ObjectMeta {
  const { labels, annotations, finalizers, ownerReferences } = draft;
  const { labels: _l, annotations: _a, finalizers: _f, ownerReferences: _o, ...kept } = current;
  return {
    ...kept,
    ...(hasGeneration(row) && kept.generation === undefined ? { generation: 1 } : {}),
    ...(labels === undefined ? {} : { labels: strings(labels) }),
    ...(annotations === undefined ? {} : { annotations: strings(annotations) }),
    ...(ownerReferences === undefined || ownerReferences.length === 0 ? {} : { ownerReferences }),
    ...(finalizers === undefined || finalizers.length === 0 ? {} : { finalizers }),
  };
}

/** A write to a subresource changes its own part only; the rest stays as stored. */
function subresourcePart(draft: KubeObject, current: KubeObject, subresource: string): KubeObject {
  if (subresource === 'finalize') {
    return { ...current, spec: { ...record(current['spec']), finalizers: record(draft['spec'])['finalizers'] ?? [] } };
  }
  const { status, ...rest } = current;
  return draft['status'] === undefined ? rest : { ...rest, status: draft['status'] };
}

function setGeneration(object: KubeObject, current: KubeObject): void {
  const { generation } = current.metadata ?? {};
  if (generation === undefined || object.metadata === undefined) return;
  const { metadata: _m, status: _s, ...wanted } = object;
  const { metadata: __m, status: __s, ...before } = current;
  if (!isDeepStrictEqual(wanted, before)) object.metadata = { ...object.metadata, generation: generation + 1 };
}

function finalizerProblems(object: KubeObject, current: KubeObject): StatusCause[] {
  if (current.metadata?.deletionTimestamp === undefined) return [];
  const before = new Set(current.metadata.finalizers ?? []);
  const added = (object.metadata?.finalizers ?? []).filter((one) => !before.has(one));
  if (added.length === 0) return [];
  return [
    forbidden(
      'metadata.finalizers',
      `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`,
    ),
  ];
}

export function optionsOf(query: URLSearchParams, warnings: string[]): WriteOptions {
  const dryRun = query.getAll('dryRun');
  if (dryRun.some((one) => one !== 'All' && one !== '')) {
    throw StatusError.badRequest(`dryRun: Unsupported value: ${JSON.stringify(dryRun[0])}: supported values: "All"`);
  }
  const validation = query.get('fieldValidation') ?? '';
  if (validation !== '' && validation !== 'Ignore' && validation !== 'Warn' && validation !== 'Strict') {
    throw StatusError.badRequest(
      `fieldValidation: Unsupported value: ${JSON.stringify(validation)}: supported values: "Ignore", "Strict", "Warn"`,
    );
  }
  return { dryRun: dryRun.includes('All'), fieldValidation: validation === '' ? 'Warn' : validation, warnings };
}
