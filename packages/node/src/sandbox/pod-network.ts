// What every sandbox offers, whichever way it is made: a network that pods share, and a place for each pod in it.
import type { ChildProcess } from 'node:child_process';
import type { Duplex, Readable, Writable } from 'node:stream';

/** The network all pods of this machine share. */
export interface PodNetwork {
  readonly podCidr: string;
  /** The node's own address, as pods see it. */
  readonly nodeAddress: string;
  /** Probes come from there, and no pod's capture touches them. */
  readonly probeSource: string;
  /** What this machine lacks, in a sentence for the user. */
  readonly warning: string | undefined;
  /** A place for one pod; throws what was refused, leaving nothing behind. */
  createPod(options: PodNetworkOptions): PodSandbox;
  /** Ends every process of every pod. */
  close(): Promise<void>;
}

export interface PodNetworkOptions {
  readonly hostname: string;
  /** With spec.subdomain: hostname.subdomain.namespace.svc.cluster.local. */
  readonly fqdn?: string;
  /** Where the pod's own files are kept. */
  readonly directory: string;
  readonly nameserver: string;
  readonly searches: readonly string[];
  /** Kubernetes: spec.hostAliases. */
  readonly hostAliases?: readonly { readonly ip: string; readonly hostnames?: readonly string[] }[];
  /** Lead its TCP traffic through the sidecar on 15001 and 15006. */
  readonly capture: boolean;
  /** Directories whose content is to be kept in memory while the pod lives; a sandbox without mounts keeps it on disk. */
  readonly memoryDirectories?: readonly MemoryDirectory[];
}

export interface MemoryDirectory {
  readonly path: string;
  /** Writing more than this fails, as on a full disk. */
  readonly sizeBytes?: number;
}

/** One pod's place: its address, the processes in it, and connections that are made inside. */
export interface PodSandbox {
  readonly ip: string;
  /** As child_process.spawn: a program that cannot be started is told by the child's `error` event. */
  spawn(argv: readonly string[], options: SpawnOptions): PodProcess;
  /** A connection from inside the pod, as its own processes would make it (kubectl port-forward does this). */
  connect(port: number, host?: string): Duplex;
  /** Every process of the pod, whoever started it. */
  processes(): number[];
  /** Kills what still runs, then lets go of everything; rejects when a process would not end. */
  destroy(): Promise<void>;
}

export interface SpawnOptions {
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** `none` unless given: the program reads end of file. */
  readonly stdin?: 'none' | 'pipe';
  /** Gives the program a terminal of its own; its output is then all on `stdout`. */
  readonly terminal?: TerminalSize;
  /** Directories and files that the program sees at other places than they are; a later one covers an earlier. */
  readonly mounts?: readonly Mount[];
  /** The program's own root directory, where the sandbox can give it one. */
  readonly root?: RootDirectory;
  /** TCP ports that its container declares; a sandbox in which pods share the machine's finds places for them. */
  readonly ports?: readonly number[];
}

/** An image's files with a container's changes on top. */
export interface RootDirectory {
  /** Shared by all containers of the image: nothing is changed there. */
  readonly image: string;
  /** Of one container; made when it is not there, and kept while the container is restarted. */
  readonly layer: string;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface Mount {
  /** On this machine, absolute; the same as `path` for what must stay visible where an earlier mount covers it. */
  readonly source: string;
  /** In the container, absolute. */
  readonly path: string;
  readonly readOnly: boolean;
}

/** A process of a pod; the leader of a session of its own, so that all it starts can be ended with it. */
export interface PodProcess {
  readonly child: ChildProcess;
  /** There when `stdin` was `pipe` or a terminal was asked for. */
  readonly stdin?: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** There when a terminal was asked for. */
  resize?(size: TerminalSize): void;
}
