// One mesh under test: its own VARKA_HOME, any free ports, commands run as a user would, and an end that is checked.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { refusedWords } from '../../../packages/node/test/support/unshared.ts';
import { ROOT } from './peers.ts';

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Status {
  readonly profile: string;
  readonly pid: number;
  readonly sandbox: string;
  readonly kubeconfig: string;
  readonly api: string;
  readonly gateway: { readonly http: string; readonly https: string };
  readonly pods: readonly {
    namespace: string;
    name: string;
    ready: string;
    phase: string;
    restarts: number;
    ip: string;
    stuck?: string;
  }[];
  readonly proxies: readonly { name: string; cds: string; lds: string; eds: string; rds: string }[];
  readonly findings: readonly { code: string; level: string; object: string; message: string }[];
}

export interface MeshOptions {
  readonly profile?: string;
  /** Shared by profiles; made when not given. */
  readonly home?: string;
  readonly user?: { readonly uid: number; readonly gid: number };
  /** As an ordinary user on a machine that refuses every namespace. */
  readonly refused?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const VARKA = join(ROOT, 'packages/varka/bin/varka.mjs');

export function newHome(forOthers = false): string {
  const home = mkdtempSync(join(tmpdir(), 'varka-test-'));
  if (forOthers) chmodSync(home, 0o777);
  return home;
}

async function collect(child: ChildProcess): Promise<Result> {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

export class Mesh {
  /** The command's launcher, for those who start it in an unusual way. */
  static readonly program = VARKA;

  readonly home: string;
  readonly profile: string;
  readonly #options: MeshOptions;

  constructor(options: MeshOptions = {}) {
    this.#options = options;
    this.home = options.home ?? newHome(options.user !== undefined || options.refused === true);
    this.profile = options.profile ?? 'default';
  }

  get directory(): string {
    return join(this.home, this.profile);
  }

  get log(): string {
    return readFileSync(join(this.directory, 'logs/varka.log'), 'utf8');
  }

  /** What its commands are started with. */
  get environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      VARKA_HOME: this.home,
      HOME: this.home,
      KUBECONFIG: join(this.directory, 'kubeconfig'),
      NO_COLOR: '1',
      ...this.#options.env,
    };
  }

  /** Starts a command without waiting for its end. */
  start(program: string, args: readonly string[], input?: string): ChildProcess {
    const { user, refused = false, cwd } = this.#options;
    const setpriv = (to: { uid: number; gid: number }) => [
      'setpriv',
      `--reuid=${to.uid}`,
      `--regid=${to.gid}`,
      '--clear-groups',
    ];
    const become = refused ? refusedWords(process.getuid?.() === 0) : user === undefined ? [] : setpriv(user);
    const [command = program, ...rest] = [...become, program, ...args];
    const child = spawn(command, rest, {
      cwd: cwd ?? ROOT,
      env: this.environment,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // A program that reads no input may have ended before it is given: its exit code and output tell how it went.
    child.stdin.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
    child.stdin.end(input ?? '');
    return child;
  }

  run(program: string, args: readonly string[], input?: string): Promise<Result> {
    return collect(this.start(program, args, input));
  }

  varka(...args: string[]): Promise<Result> {
    return this.run(process.execPath, this.#varkaArgs(args));
  }

  startVarka(...args: string[]): ChildProcess {
    return this.start(process.execPath, this.#varkaArgs(args));
  }

  #varkaArgs([command = '', ...args]: string[]): string[] {
    return [VARKA, command, '--profile', this.profile, ...args];
  }

  /** Any free ports, so that tests never meet each other or what the machine runs. */
  up(...args: string[]): Promise<Result> {
    return this.varka('up', '--detach', '--gateway-port', '0', '--gateway-https-port', '0', '--api-port', '0', ...args);
  }

  async status(): Promise<Status> {
    const { code, stdout, stderr } = await this.varka('status', '--output', 'json');
    if (code !== 0) throw new Error(`varka status: ${stderr}`);
    return JSON.parse(stdout) as Status;
  }

  /** Ends what may still run, and deletes the home. For `after`. */
  async dispose(): Promise<void> {
    await this.varka('down', '--purge');
    if (this.#options.home === undefined) rmSync(this.home, { recursive: true, force: true });
  }
}
