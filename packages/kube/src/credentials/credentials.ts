// The credentials of one mesh, kept in its state folder: made once, read again at every start.
import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeyPair } from './authority.ts';

export interface Credentials {
  /** PEM of the certificate that both sides trust. */
  readonly ca: string;
  readonly server: KeyPair;
  /** Full rights; this is what goes into the kubeconfig. */
  readonly client: KeyPair;
  /** A bearer token with full rights, for clients inside the mesh. */
  readonly token: string;
}

export interface CredentialOptions {
  /** Further names and addresses the server's certificate is to be good for. */
  readonly dnsNames?: readonly string[];
  readonly addresses?: readonly string[];
  readonly now?: () => Date;
}

const DNS_NAMES = [
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
];
const ADDRESSES = ['127.0.0.1', '::1', '10.96.0.1'];
/** A certificate is made anew when it has less than this left. */
const RENEW_BEFORE_MS = 30 * 24 * 60 * 60 * 1000;

export async function loadOrCreateCredentials(folder: string, options: CredentialOptions = {}): Promise<Credentials> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const now = (options.now ?? (() => new Date()))();
  const dnsNames = [...new Set([...DNS_NAMES, ...(options.dnsNames ?? [])])];
  const addresses = [...new Set([...ADDRESSES, ...(options.addresses ?? [])])];
  let authority = await readPair(folder, 'ca');
  if (authority === undefined || !isFresh(authority, now)) {
    const { createAuthority } = await authorityModule();
    authority = await createAuthority('varka', now);
    await writePair(folder, 'ca', authority);
  }
  const ca = authority;
  const leaf = async (
    name: string,
    covers: (certificate: X509Certificate) => boolean,
    request: Parameters<typeof import('./authority.ts')['issue']>[1],
  ) => {
    const found = await readPair(folder, name);
    if (found !== undefined && isFresh(found, now) && isSignedBy(found, ca) && covers(new X509Certificate(found.cert)))
      return found;
    const { issue } = await authorityModule();
    const made = await issue(ca, request, now);
    await writePair(folder, name, made);
    return made;
  };
  const server = await leaf(
    'server',
    (certificate) =>
      dnsNames.every((name) => certificate.checkHost(name) !== undefined) &&
      addresses.every((one) => certificate.checkIP(one) !== undefined),
    { commonName: 'varka-apiserver', usage: 'server', dnsNames, addresses },
  );
  // Kubernetes gives the group system:masters every right.
  const client = await leaf('client', () => true, {
    commonName: 'varka-admin',
    organization: 'system:masters',
    usage: 'client',
  });
  return { ca: ca.cert, server, client, token: await loadOrCreateToken(folder) };
}

/** Loaded only when something must be made: it costs more to load than all the reading. */
const authorityModule = () => import('./authority.ts');

async function loadOrCreateToken(folder: string): Promise<string> {
  const path = join(folder, 'token');
  const found = (await readIfThere(path))?.trim();
  if (found !== undefined && found.length >= 32) return found;
  const token = randomBytes(32).toString('base64url');
  await writePrivate(path, `${token}\n`);
  return token;
}

async function readPair(folder: string, name: string): Promise<KeyPair | undefined> {
  const [cert, key] = await Promise.all([
    readIfThere(join(folder, `${name}.crt`)),
    readIfThere(join(folder, `${name}.key`)),
  ]);
  if (cert === undefined || key === undefined) return undefined;
  try {
    // A pair that does not belong together, or is cut short, is as good as none.
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)) ? { cert, key } : undefined;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

async function writePair(folder: string, name: string, pair: KeyPair): Promise<void> {
  await writePrivate(join(folder, `${name}.key`), pair.key);
  await writePrivate(join(folder, `${name}.crt`), pair.cert);
}

function isFresh(pair: KeyPair, now: Date): boolean {
  const { validFromDate, validToDate } = new X509Certificate(pair.cert);
  return validFromDate <= now && validToDate.getTime() - now.getTime() > RENEW_BEFORE_MS;
}

function isSignedBy(pair: KeyPair, authority: KeyPair): boolean {
  return new X509Certificate(pair.cert).verify(new X509Certificate(authority.cert).publicKey);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Never half written, and readable by its owner only, from the first byte on. */
export async function writePrivate(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.new`;
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, path);
}
