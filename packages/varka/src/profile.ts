// Where one mesh keeps its state: $VARKA_HOME (default ~/.varka)/PROFILE.
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { problem } from './errors.ts';

export interface Profile {
  readonly name: string;
  readonly home: string;
  readonly directory: string;
  /** Who holds the profile, see front/lock.ts. */
  readonly lock: string;
  /** What the running mesh is and where it listens. */
  readonly runtime: string;
  readonly controlSocket: string;
  readonly store: string;
  readonly pki: string;
  readonly kubeconfig: string;
  readonly logs: string;
  /** Shared by all profiles: the proxy's bundle and V8's compile cache. A name cannot begin with a dot. */
  readonly cache: string;
}

const NAME = /^[a-z0-9][a-z0-9-]{0,39}$/;
/** sockaddr_un.sun_path holds 108 bytes with the closing NUL. */
const LONGEST_SOCKET_PATH = 107;

export function openProfile(name: string, env: NodeJS.ProcessEnv = process.env): Profile {
  if (!NAME.test(name)) throw problem('profile-name', { name });
  const home = resolve(env['VARKA_HOME'] ?? join(env['HOME'] || homedir(), '.varka'));
  const directory = join(home, name);
  const controlSocket = join(directory, 'control.sock');
  if (Buffer.byteLength(controlSocket) > LONGEST_SOCKET_PATH) throw problem('home-too-long', { path: controlSocket });
  return {
    name,
    home,
    directory,
    lock: join(directory, 'lock'),
    runtime: join(directory, 'runtime.json'),
    controlSocket,
    store: join(directory, 'store'),
    pki: join(directory, 'pki'),
    kubeconfig: join(directory, 'kubeconfig'),
    logs: join(directory, 'logs'),
    cache: join(home, '.cache'),
  };
}
