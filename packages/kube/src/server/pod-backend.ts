// What the API server asks of whoever runs the pods (Kubernetes: the kubelet's own API).

export interface PodLogOptions {
  container?: string;
  follow?: boolean;
  previous?: boolean;
  timestamps?: boolean;
  /** Last lines only. */
  tailLines?: number;
  /** Seconds back from now. */
  sinceSeconds?: number;
  limitBytes?: number;
}

/** Rejects with a `StatusError` when there is no such container or it has not started. */
export interface PodBackend {
  logs(namespace: string, pod: string, options: PodLogOptions, signal: AbortSignal): AsyncIterable<Uint8Array>;
}
