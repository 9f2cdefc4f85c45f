// The three requests of an apply, made the way kubectl makes them: fields that the kind does not have are errors
// (fieldValidation=Strict), and what the server has to remark about an object is heard.
import type { ClusterAccess } from '@varka/kube/client/kubeconfig.ts';
import { type HttpAnswer, type HttpRequest, Transport } from '@varka/kube/client/transport.ts';
import { type KindRef, pathOf } from '@varka/kube/kinds/kind.ts';
import type { KubeObject, Status } from '@varka/kube/object.ts';
import { StatusError } from '@varka/kube/status-error.ts';

export interface Written {
  readonly object: KubeObject;
  /** From the answer's Warning headers (RFC 9111, section 5.5). */
  readonly warnings: readonly string[];
}

export interface ApplyApi {
  /** undefined when there is none. */
  get(kind: KindRef, name: string, namespace: string | undefined): Promise<KubeObject | undefined>;
  create(kind: KindRef, object: KubeObject): Promise<Written>;
  patch(kind: KindRef, name: string, namespace: string | undefined, patch: unknown): Promise<Written>;
}

/** The name under which kubectl's own client-side apply owns fields. */
const WRITE_QUERY = '?fieldManager=kubectl-client-side-apply&fieldValidation=Strict';
const LIMITS = { requestTimeoutMs: 30_000, maxResponseBytes: 16 << 20, userAgent: 'varka-up' };

export class HttpApplyApi implements ApplyApi {
  readonly #transport: Transport;

  constructor(access: ClusterAccess) {
    this.#transport = new Transport(access, LIMITS);
  }

  async get(kind: KindRef, name: string, namespace: string | undefined): Promise<KubeObject | undefined> {
    const answer = await this.#transport.exchange({ method: 'GET', path: pathOf(kind, namespace, name) });
    return answer.status === 404 ? undefined : objectOf(answer);
  }

  create(kind: KindRef, object: KubeObject): Promise<Written> {
    const path = `${pathOf(kind, object.metadata?.namespace)}${WRITE_QUERY}`;
    return this.#write({ method: 'POST', path, body: JSON.stringify(object) });
  }

  patch(kind: KindRef, name: string, namespace: string | undefined, patch: unknown): Promise<Written> {
    const path = `${pathOf(kind, namespace, name)}${WRITE_QUERY}`;
    const headers = { 'content-type': 'application/merge-patch+json' };
    return this.#write({ method: 'PATCH', path, headers, body: JSON.stringify(patch) });
  }

  close(): void {
    this.#transport.close();
  }

  async #write(request: HttpRequest): Promise<Written> {
    const answer = await this.#transport.exchange(request);
    return { object: objectOf(answer), warnings: warningsOf(answer) };
  }
}

function objectOf({ status, body }: HttpAnswer): KubeObject {
  const parsed = JSON.parse(body.toString('utf8')) as KubeObject;
  if (status >= 200 && status < 300) return parsed;
  throw new StatusError(parsed as unknown as Status);
}

/** `299 - "text"`, several joined by commas; in the text `"` and `\\` are escaped. */
function warningsOf({ headers }: HttpAnswer): string[] {
  const value = headers['warning'];
  const text = Array.isArray(value) ? value.join(', ') : (value ?? '');
  return [...text.matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, quoted = '']) => quoted.replace(/\\(.)/g, '$1'));
}
