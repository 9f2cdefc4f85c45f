// Applies documents as `kubectl apply` would: creates what is missing, merges into what is there, and goes on after a
// rejection, so that one bad object does not keep the others out.
import type { KubeObject } from '@varka/kube/object.ts';
import { StatusError } from '@varka/kube/status-error.ts';
import { describe, type Problem } from '../errors.ts';
import type { ApplyApi, Written } from './apply-api.ts';
import type { ResolvedDocument } from './resolve.ts';
import { lastApplied, threeWayPatch, withLastApplied } from './three-way-merge.ts';

type Fields = Record<string, unknown>;

export interface Applied extends Written {
  readonly document: ResolvedDocument;
  readonly action: 'created' | 'configured' | 'unchanged';
}

export interface ApplyOptions {
  readonly api: ApplyApi;
  readonly documents: readonly ResolvedDocument[];
  /** Where objects without a namespace go. */
  readonly namespace: string;
  readonly kubeconfig: string;
  /** Awaited before the next one is applied. */
  readonly onApplied: (applied: Applied) => void;
  readonly onRejected: (problem: Problem) => void;
}

/** What others need to be there first. */
const FIRST = ['Namespace', 'CustomResourceDefinition'];
/** What starts programs: those find all else there, and do not take the processor from the rest of the applying. */
const LAST = new Set(['Deployment', 'ReplicaSet', 'Job', 'Pod']);

function rank({ kind }: ResolvedDocument): number {
  const position = FIRST.indexOf(kind.kind);
  if (position !== -1) return position;
  return LAST.has(kind.kind) ? FIRST.length + 1 : FIRST.length;
}

function placed({ object, kind }: ResolvedDocument, namespace: string): KubeObject {
  if (!kind.namespaced || object.metadata?.namespace !== undefined) return object;
  return { ...object, metadata: { ...object.metadata, namespace } };
}

async function applyOne(api: ApplyApi, document: ResolvedDocument, namespace: string): Promise<Applied> {
  const { kind } = document;
  const object = placed(document, namespace);
  const wanted = withLastApplied(object);
  const { name, namespace: where } = object.metadata ?? {};
  // Without a name of its own (generateName) it is another one each time.
  const current = name === undefined ? undefined : await api.get(kind, name, where);
  if (name === undefined || current === undefined) {
    return { document, action: 'created', ...(await api.create(kind, wanted)) };
  }
  const patch = threeWayPatch(lastApplied(current), wanted as Fields, current as Fields);
  if (patch === undefined) return { document, action: 'unchanged', object: current, warnings: [] };
  const patched = await api.patch(kind, name, where, patch);
  const same = patched.object.metadata?.resourceVersion === current.metadata?.resourceVersion;
  return { document, action: same ? 'unchanged' : 'configured', ...patched };
}

function rejection({ path, line, index, object }: ResolvedDocument, error: StatusError, kubeconfig: string): Problem {
  const name = `${object.kind} ${object.metadata?.name ?? object.metadata?.generateName ?? ''}`;
  return describe('api-rejected', {
    path,
    line,
    index,
    object: name,
    detail: error.message,
    reason: error.reason,
    kubeconfig,
  });
}

export async function applyAll({
  api,
  documents,
  namespace,
  kubeconfig,
  onApplied,
  onRejected,
}: ApplyOptions): Promise<void> {
  for (const document of documents.toSorted((a, b) => rank(a) - rank(b))) {
    try {
      onApplied(await applyOne(api, document, namespace));
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      onRejected(rejection(document, error, kubeconfig));
    }
  }
}
