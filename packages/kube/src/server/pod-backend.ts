// What the API server asks of whoever runs the pods (Kubernetes: the kubelet's own API).
import type { Duplex, Readable, Writable } from 'node:stream';

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

/** Which of a command's streams a client wants; with a terminal there is no `stderr`. */
export interface CommandStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface CommandOptions extends CommandStreams {
  readonly container: string;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A command in a container, or a container's own program, with a client connected to it. */
export interface CommandSession {
  /** There when input was asked for, and is taken. */
  readonly stdin?: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** There when it has a terminal. */
  resize?(size: TerminalSize): void;
  /**
   * The exit code, once the program has ended and its output is read; undefined when it is not over but the session is.
   * Rejects with a `StatusError` when it could not be started.
   */
  readonly exited: Promise<number | undefined>;
}

export interface Usage {
  /** Billionths of a core, over the window. */
  readonly cpuNanocores: number;
  readonly memoryBytes: number;
}

/** Times in milliseconds. */
interface Measured {
  readonly name: string;
  readonly takenAt: number;
  readonly windowMs: number;
}

export interface PodUsage extends Measured {
  readonly namespace: string;
  readonly containers: readonly (Usage & { readonly name: string })[];
}

export type NodeUsage = Measured & Usage;

/** Every method rejects with a `StatusError` when there is no such pod or container, or it does not run. */
export interface PodBackend {
  logs(namespace: string, pod: string, options: PodLogOptions, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** The command's end, and that of all it started, is when `signal` aborts. */
  exec(
    namespace: string,
    pod: string,
    command: readonly string[],
    options: CommandOptions,
    signal: AbortSignal,
  ): Promise<CommandSession>;
  /** The program goes on when `signal` aborts. */
  attach(namespace: string, pod: string, options: CommandOptions, signal: AbortSignal): Promise<CommandSession>;
  /** A connection to a port of the pod's, made from inside; what refuses it is the stream's `error`. Throws. */
  connect(namespace: string, pod: string, port: number): Duplex;
  /** What runs long enough to be measured. */
  usage(): { readonly pods: readonly PodUsage[]; readonly nodes: readonly NodeUsage[] };
}
