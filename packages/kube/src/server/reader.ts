// Getting and listing: selectors, pages, consistent snapshots, and the forms a client may ask for.
import { apiVersionOf } from '../kinds/kind.ts';
import { resourceOf } from '../kinds/row.ts';
import type { KubeList, KubeObject } from '../object.ts';
import { StatusError } from '../status-error.ts';
import type { Snapshot } from '../store/store.ts';
import { RevisionCompacted } from '../store/store-error.ts';
import { inVersion, type ServerContext, type Target } from './context.ts';
import type { Wanted } from './media-type.ts';
import { fieldPredicate, labelPredicate, type Predicate } from './selectors.ts';
import { includeObject, partialMetadata, table } from './table.ts';

export class Reader {
  readonly #context: ServerContext;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  get(target: Target & { readonly name: string }): KubeObject {
    const { row, version, namespace, name } = target;
    const object = this.#context.store.get(resourceOf(row), namespace, name);
    if (object === undefined) throw StatusError.notFound(row, name);
    return inVersion(object, row, version);
  }

  list(target: Target, query: URLSearchParams): KubeList {
    const { row, version, namespace } = target;
    const matches = predicateOf(target, query);
    const from = continuation(query.get('continue'));
    const snapshot = this.#snapshot(target, query, from?.revision);
    const matching = snapshot.items.filter(matches);
    const rest = from === undefined ? matching : matching.filter((object) => after(object, from));
    const limit = limitOf(query);
    const page = limit === undefined ? rest : rest.slice(0, limit);
    const last = page.at(-1);
    const remaining = rest.length - page.length;
    const selective = (query.get('labelSelector') ?? '') !== '' || (query.get('fieldSelector') ?? '') !== '';
    return {
      kind: `${row.kind}List`,
      apiVersion: apiVersionOf({ group: row.group, version }),
      metadata: {
        resourceVersion: String(snapshot.revision),
        ...(remaining > 0 && last !== undefined ? { continue: token(snapshot.revision, last) } : {}),
        // Kubernetes leaves the count out when a selector makes it a guess.
        ...(remaining > 0 && !selective ? { remainingItemCount: remaining } : {}),
      },
      items: page.map((object) => inVersion(object, row, version)),
    };

    function after(object: KubeObject, { namespace: ns, name }: Continuation): boolean {
      const key = `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;
      return key > `${ns}/${name}` && (namespace === undefined || object.metadata?.namespace === namespace);
    }
  }

  #snapshot({ row, namespace }: Target, query: URLSearchParams, continued: number | undefined): Snapshot {
    const { store } = this.#context;
    const resource = resourceOf(row);
    const asked = query.get('resourceVersion') ?? '';
    const exact = query.get('resourceVersionMatch') === 'Exact';
    const revision = continued ?? (asked === '' ? undefined : revisionOf(asked));
    if (revision !== undefined && revision > store.revision) throw tooNew(revision, store.revision);
    if (revision === undefined || (continued === undefined && !exact)) return store.list(resource, namespace);
    try {
      return store.listAt(resource, revision, namespace);
    } catch (error) {
      if (!(error instanceof RevisionCompacted)) throw error;
      throw StatusError.expired(
        continued === undefined
          ? `The resourceVersion for the provided list is too old.`
          : 'The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.',
      );
    }
  }

  /** One object in the form the client asked for. */
  shapeOne(target: Target, object: KubeObject, form: Wanted, query: URLSearchParams): KubeObject {
    const meta = { resourceVersion: object.metadata?.resourceVersion ?? '' };
    if (form.as === 'Table')
      return table(target.row, [object], meta, includeObject(query.get('includeObject')), this.#context.now());
    return form.as === 'PartialObjectMetadata' ? partialMetadata(object) : object;
  }

  shapeList(target: Target, list: KubeList, form: Wanted, query: URLSearchParams): KubeObject | KubeList {
    if (form.as === 'Table')
      return table(
        target.row,
        list.items,
        list.metadata,
        includeObject(query.get('includeObject')),
        this.#context.now(),
      );
    if (form.as !== 'PartialObjectMetadataList' && form.as !== 'PartialObjectMetadata') return list;
    return {
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata: list.metadata,
      items: list.items.map(partialMetadata),
    };
  }
}

/** Which objects a query selects; a name in the path selects that one. */
export function predicateOf(target: Target, query: URLSearchParams): Predicate {
  const byLabel = labelPredicate(query.get('labelSelector') ?? undefined);
  const byField = fieldPredicate(target.row, query.get('fieldSelector') ?? undefined);
  return (object) =>
    (target.name === undefined || object.metadata?.name === target.name) && byLabel(object) && byField(object);
}

export function revisionOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw StatusError.badRequest(`resourceVersion: Invalid value: ${JSON.stringify(text)}: must be a whole number`);
}

export function tooNew(asked: number, current: number): StatusError {
  return StatusError.timeout(`Too large resource version: ${asked}, current: ${current}`);
}

function limitOf(query: URLSearchParams): number | undefined {
  const text = query.get('limit') ?? '';
  if (text === '' || text === '0') return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw StatusError.badRequest(`limit: Invalid value: ${JSON.stringify(text)}: must be a whole number, not below 0`);
}

interface Continuation {
  readonly revision: number;
  readonly namespace: string;
  readonly name: string;
}

function token(revision: number, last: KubeObject): string {
  const { namespace = '', name = '' } = last.metadata ?? {};
  return Buffer.from(JSON.stringify([revision, namespace, name])).toString('base64url');
}

function continuation(text: string | null): Continuation | undefined {
  if (text === null || text === '') return undefined;
  const bad = () => StatusError.badRequest('continue key is not valid: use the one from the list before, unchanged');
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch (error) {
    if (error instanceof SyntaxError) throw bad();
    throw error;
  }
  if (!Array.isArray(parts)) throw bad();
  const [revision, namespace, name] = parts as unknown[];
  if (typeof revision !== 'number' || typeof namespace !== 'string' || typeof name !== 'string') throw bad();
  return { revision, namespace, name };
}
