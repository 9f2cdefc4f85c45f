// Applies documents as `kubectl apply` would: creates what is missing, merges into what is there, and goes on after a
// rejection, so that one bad object does not keep the others out.
import type { KubeClient } from '@varka/kube/client/client.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import { isStatus, StatusError } from '@varka/kube/status-error.ts';
import { describe, type Problem } from '../errors.ts';
import type { ResolvedDocument } from './resolve.ts';
import { lastApplied, threeWayPatch, withLastApplied } from './three-way-merge.ts';

export interface Applied {
  readonly document: ResolvedDocument;
  readonly action: 'created' | 'configured' | 'unchanged';
  readonly object: KubeObject;
}

export interface ApplyOptions {
  readonly client: KubeClient;
  readonly documents: readonly ResolvedDocument[];
  /** Where objects without a namespace go. */
  readonly namespace: string;
  readonly kubeconfig: string;
  readonly onApplied: (applied: Applied) => void;
  readonly onRejected: (problem: Problem) => void;
}

/** What others need to be there first. */
const FIRST = ['Namespace', 'CustomResourceDefinition'];

function rank({ kind }: ResolvedDocument): number {
  const position = FIRST.indexOf(kind.kind);
  return position === -1 ? FIRST.length : position;
}

function placed({ object, kind }: ResolvedDocument, namespace: string): KubeObject {
  if (!kind.namespaced || object.metadata?.namespace !== undefined) return object;
  return { ...object, metadata: { ...object.metadata, namespace } };
}

async function live(
  client: KubeClient,
  { kind }: ResolvedDocument,
  object: KubeObject,
): Promise<KubeObject | undefined> {
  const name = object.metadata?.name;
  if (name === undefined) return undefined; // generateName makes a new one each time
  try {
    return await client.get(kind, name, object.metadata?.namespace);
  } catch (error) {
    if (isStatus(error, 'NotFound')) return undefined;
    throw error;
  }
}

async function applyOne(client: KubeClient, document: ResolvedDocument, namespace: string): Promise<Applied> {
  const object = placed(document, namespace);
  const current = await live(client, document, object);
  const wanted = withLastApplied(object);
  if (current === undefined) return { document, action: 'created', object: await client.create(document.kind, wanted) };
  const patch = threeWayPatch(
    lastApplied(current),
    wanted as Record<string, unknown>,
    current as Record<string, unknown>,
  );
  if (patch === undefined) return { document, action: 'unchanged', object: current };
  const { name = '', namespace: where } = object.metadata ?? {};
  const patched = await client.patch<KubeObject>(document.kind, name, where, patch);
  const same = patched.metadata?.resourceVersion === current.metadata?.resourceVersion;
  return { document, action: same ? 'unchanged' : 'configured', object: patched };
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
  client,
  documents,
  namespace,
  kubeconfig,
  onApplied,
  onRejected,
}: ApplyOptions): Promise<void> {
  for (const document of documents.toSorted((a, b) => rank(a) - rank(b))) {
    try {
      onApplied(await applyOne(client, document, namespace));
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      onRejected(rejection(document, error, kubeconfig));
    }
  }
}
