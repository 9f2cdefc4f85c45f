// The front's end of the supervisor: starts it in its namespaces, hands it the listening sockets, asks it questions,
// and ends it, politely first.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { CatalogEntry, ImageProgram } from '@varka/node/images/image-catalog.ts';
import type { FromSupervisor, ListenRefusal, QueryName, SupervisorConfig, ToSupervisor } from '../protocol.ts';
import type { NamedServer } from './listeners.ts';
import { namespaceCommand } from './namespaces.ts';
import { childrenOf, identify, type ProcessIdentity, waitUntilGone } from './process-identity.ts';

const ENTRY = fileURLToPath(new URL('../supervisor/main.ts', import.meta.url));
const QUERY_TIMEOUT_MS = 10_000;
const KILL_TIMEOUT_MS = 5_000;

interface PendingQuery {
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class SupervisorProcess {
  /** Settles when the process is gone: 'exit code 1', 'signal SIGKILL'. */
  readonly exited: Promise<string>;
  readonly identity: ProcessIdentity | undefined;
  readonly #child: ChildProcess;
  readonly #queries = new Map<number, PendingQuery>();
  /** Started without `unshare`: its children are pods' processes. */
  readonly #isAlone: boolean;
  #nextQuery = 1;
  #killing: Promise<void> | undefined;

  constructor(config: SupervisorConfig, log: number, onMessage: (message: FromSupervisor) => void) {
    const { sandbox } = config;
    const before = sandbox.kind === 'netns' ? namespaceCommand(sandbox.privilege) : [];
    this.#isAlone = sandbox.kind === 'loopback';
    const words = [...before, process.execPath, '--disable-warning=ExperimentalWarning', ENTRY];
    const [program = process.execPath, ...args] = words;
    this.#child = spawn(program, args, {
      stdio: ['ignore', log, log, 'ipc'],
      // Its own session: a terminal's Ctrl-C is for the front alone, which then stops everything in order.
      detached: true,
      cwd: '/',
    });
    this.identity = this.#child.pid === undefined ? undefined : identify(this.#child.pid);
    this.exited = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    });
    void this.exited.then((how) => this.#rejectAll(new Error(`the supervisor ended (${how})`)));
    this.#child.on('message', (message) => {
      const told = message as FromSupervisor;
      if (told.type === 'answer') this.#settle(told.id, (query) => query.resolve(told.body));
      else if (told.type === 'refused') this.#settle(told.id, (query) => query.reject(new Error(told.message)));
      else onMessage(told);
    });
    this.#send({ type: 'start', config });
  }

  /** Gives the socket away: from here on the supervisor alone accepts on it. */
  async handOver({ name, server }: NamedServer): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#child.send({ type: 'listener', name } satisfies ToSupervisor, server, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    server.close();
    await once(server, 'close');
  }

  /** Says that a socket it asked for cannot be had. */
  refuse(name: string, refusal: ListenRefusal): void {
    this.#send({ type: 'no-listener', name, refusal });
  }

  query(query: QueryName): Promise<unknown> {
    const id = this.#nextQuery++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#settle(id, (waiting) =>
          waiting.reject(new Error(`the supervisor did not answer within ${QUERY_TIMEOUT_MS / 1000} s`)),
        );
      }, QUERY_TIMEOUT_MS);
      this.#queries.set(id, { resolve, reject, timer });
      this.#send({ type: 'query', id, query });
    });
  }

  /** What the container engine said to question `id`. */
  answerFromEngine(id: number, answer: { readonly program?: ImageProgram; readonly error?: string }): void {
    this.#send({ type: 'engine', id, ...answer });
  }

  /** The user's programs are others from now on. */
  replaceImages(images: readonly CatalogEntry[]): void {
    this.#send({ type: 'images', images });
  }

  /** Asks it to stop pods and close the store. */
  requestStop(): void {
    this.#send({ type: 'stop' });
  }

  /** The host's view of the processes that hold the namespaces: `unshare` and, inside, PID 1. Without, the supervisor. */
  processes(): ProcessIdentity[] {
    if (this.identity === undefined) return [];
    return this.#isAlone ? [this.identity] : [this.identity, ...childrenOf(this.identity.pid)];
  }

  /** Ends everything inside at once, and waits until the kernel has done so. */
  kill(): Promise<void> {
    // Who asks later waits for the same processes: the second of them is no longer found once the first is gone.
    this.#killing ??= this.#kill();
    return this.#killing;
  }

  async #kill(): Promise<void> {
    const processes = this.processes();
    this.#child.kill('SIGKILL');
    await waitUntilGone(processes, KILL_TIMEOUT_MS);
  }

  #send(message: ToSupervisor): void {
    if (!this.#child.connected) return;
    // A failed write means that it is gone; `exited` tells.
    this.#child.send(message, (error) => {
      if (error !== null && message.type === 'query') this.#settle(message.id, (query) => query.reject(error));
    });
  }

  #settle(id: number, act: (query: PendingQuery) => void): void {
    const query = this.#queries.get(id);
    if (query === undefined) return;
    this.#queries.delete(id);
    clearTimeout(query.timer);
    act(query);
  }

  #rejectAll(error: Error): void {
    for (const id of [...this.#queries.keys()]) this.#settle(id, (query) => query.reject(error));
  }
}
