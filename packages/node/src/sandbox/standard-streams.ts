// What a program of a pod reads from and writes to: pipes, or a terminal. Every sandbox starts its programs with these.
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipe } from '../netlink/libc.ts';
import type { PodProcess, SpawnOptions } from './pod-network.ts';
import { Terminal } from './terminal.ts';

export interface StandardStreams {
  /** For child_process.spawn; the child must be `detached`, the leader of a session. */
  readonly stdio: StdioOptions;
  /** The command to start instead of the one given. */
  readonly argv: readonly string[];
  /** Once it is started: lets go of the child's side. */
  attach(child: ChildProcess): PodProcess;
  /** When it could not be: lets go of both sides. */
  abandon(): void;
}

export function standardStreams(
  argv: readonly string[],
  { stdin = 'none', terminal }: Pick<SpawnOptions, 'stdin' | 'terminal'>,
): StandardStreams {
  return terminal === undefined ? pipes(argv, stdin === 'pipe') : onTerminal(argv, new Terminal(terminal));
}

function pipes(argv: readonly string[], withInput: boolean): StandardStreams {
  const opened: ReturnType<typeof pipe>[] = [];
  const open = () => {
    const made = pipe();
    opened.push(made);
    return made;
  };
  const closeAll = (fds: readonly number[]): void => {
    for (const fd of fds) closeSync(fd);
  };
  try {
    const input = withInput ? open() : undefined;
    const [out, err] = [open(), open()];
    const theirs = [...(input === undefined ? [] : [input.read]), out.write, err.write];
    return {
      argv,
      stdio: [input?.read ?? 'ignore', out.write, err.write],
      attach: (child) => {
        closeAll(theirs);
        return {
          child,
          ...(input === undefined ? {} : { stdin: new Socket({ fd: input.write, readable: false, writable: true }) }),
          stdout: new Socket({ fd: out.read, readable: true, writable: false }),
          stderr: new Socket({ fd: err.read, readable: true, writable: false }),
        };
      },
      abandon: () => closeAll(opened.flatMap(({ read, write }) => [read, write])),
    };
  } catch (error) {
    closeAll(opened.flatMap(({ read, write }) => [read, write]));
    throw error;
  }
}

/** credentials(7): a session's leader that opens a terminal has it for its own from then on; so a shell does that. */
const TAKE_TERMINAL = ': <>"$0"; exec "$@"';

function onTerminal(argv: readonly string[], terminal: Terminal): StandardStreams {
  const { input, output, programSide, path } = terminal;
  return {
    argv: ['/bin/sh', '-c', TAKE_TERMINAL, path, ...argv],
    stdio: [programSide, programSide, programSide],
    attach: (child) => {
      child.once('exit', () => terminal.release());
      child.once('error', () => terminal.release());
      return {
        child,
        stdin: input,
        stdout: output,
        stderr: Readable.from([]),
        resize: (size) => terminal.resize(size),
      };
    },
    abandon: () => terminal.destroy(),
  };
}
