// Where pods' configuration comes from: the API's ConfigMaps, Secrets, claims and tokens, and word of their changes.
import type { KubeClient } from '@varka/kube/client/client.ts';
import { createInformer, type Informer } from '@varka/kube/client/informer.ts';
import type { ConfigMap, Pod } from '@varka/kube/client/typed-objects.ts';
import type { KindRef } from '@varka/kube/kinds/kind.ts';
import {
  PersistentVolumeClaim as ClaimKind,
  ConfigMap as ConfigMapKind,
  Secret as SecretKind,
  ServiceAccount as ServiceAccountKind,
} from '@varka/kube/kinds/refs.ts';
import type { Logger } from '@varka/kube/log.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import { isStatus, StatusError } from '@varka/kube/status-error.ts';
import type { Secret } from 'kubernetes-types/core/v1.d.ts';

/** Answers undefined when there is no such object. */
export interface ConfigSource {
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Pick<Secret, 'data'> | undefined>;
  /** The claim's uid. */
  claim(namespace: string, name: string): Promise<string | undefined>;
  /** A bearer token of the pod's service account. */
  token(pod: Pod, audience: string | undefined, expirationSeconds: number | undefined): Promise<string>;
  /** Tells the `objectKey` of each ConfigMap and Secret that changes; answers what takes the listener off again. */
  onChange(listener: (key: string) => void): () => void;
}

export function objectKey(kind: 'ConfigMap' | 'Secret', namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}

export class ApiConfigSource implements ConfigSource {
  readonly #client: KubeClient;
  readonly #log: Logger;
  readonly #listeners = new Set<(key: string) => void>();
  #informers: readonly Informer[] = [];

  constructor(client: KubeClient, log: Logger) {
    this.#client = client;
    this.#log = log;
  }

  configMap(namespace: string, name: string): Promise<ConfigMap | undefined> {
    return orUndefined(this.#client.get<ConfigMap>(ConfigMapKind, name, namespace));
  }

  secret(namespace: string, name: string): Promise<Pick<Secret, 'data'> | undefined> {
    return orUndefined(this.#client.get<KubeObject & { data?: Record<string, string> }>(SecretKind, name, namespace));
  }

  async claim(namespace: string, name: string): Promise<string | undefined> {
    const found = await orUndefined(this.#client.get(ClaimKind, name, namespace));
    return found?.metadata?.uid;
  }

  /**
   * authentication.k8s.io/v1 TokenRequest. The kubelet has the token bound to the pod; this API server binds none to
   * anything but its account, and refuses to be asked.
   */
  async token(pod: Pod, audience: string | undefined, expirationSeconds: number | undefined): Promise<string> {
    const { namespace = '' } = pod.metadata ?? {};
    const request: KubeObject = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: { name: pod.spec?.serviceAccountName ?? 'default', namespace },
      spec: {
        audiences: audience === undefined ? [] : [audience],
        expirationSeconds: expirationSeconds ?? 3600,
      },
    };
    const answer = await this.#client.create<KubeObject>(ServiceAccountKind, request, 'token');
    return (answer['status'] as { token: string }).token;
  }

  onChange(listener: (key: string) => void): () => void {
    this.#listeners.add(listener);
    // Followed from the first pod on that has such a volume: without one it costs nothing.
    if (this.#informers.length === 0) {
      this.#informers = [this.#follow('ConfigMap', ConfigMapKind), this.#follow('Secret', SecretKind)];
    }
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    for (const informer of this.#informers) informer.stop();
  }

  #follow(kind: 'ConfigMap' | 'Secret', ref: KindRef): Informer {
    const informer = createInformer(this.#client, ref, { log: this.#log });
    // Rejects when stopped before the first list was complete.
    informer.synced.catch(() => undefined);
    informer.onEvent(({ object }) => {
      const key = objectKey(kind, object.metadata?.namespace ?? '', object.metadata?.name ?? '');
      for (const listener of [...this.#listeners]) listener(key);
    });
    return informer;
  }
}

async function orUndefined<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof StatusError && isStatus(error, 'NotFound')) return undefined;
    throw error;
  }
}
