// The files of /etc that make a pod a place of its own: names, name servers, and how names are looked up.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MS_BIND, MS_PRIVATE, MS_REC, mount } from '../netlink/libc.ts';

export interface EtcOptions {
  readonly hostname: string;
  /** With spec.subdomain: hostname.subdomain.namespace.svc.cluster.local. */
  readonly fqdn?: string;
  readonly ip: string;
  readonly nameserver: string;
  readonly searches: readonly string[];
  /** Kubernetes: spec.hostAliases. */
  readonly hostAliases?: readonly { readonly ip: string; readonly hostnames?: readonly string[] }[];
}

/** As the kubelet writes it (pkg/kubelet/network/dns): ndots:5, so that short names try the search list first. */
export function resolvConf({ nameserver, searches }: EtcOptions): string {
  return `search ${searches.join(' ')}\nnameserver ${nameserver}\noptions ndots:5\n`;
}

/** As the kubelet writes it, entries for the pod itself and its hostAliases last. */
export function hosts({ hostname, fqdn, ip, hostAliases = [] }: EtcOptions): string {
  const lines = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    `${ip}\t${fqdn === undefined ? '' : `${fqdn}\t`}${hostname}`,
    ...hostAliases.map((alias) => `${alias.ip}\t${(alias.hostnames ?? []).join('\t')}`),
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * The machine's own, but names are looked up in files and DNS only: nss-resolve, nss-mdns and the like would ask the
 * host's daemons through sockets that a mount namespace does not hide, and those know nothing of cluster.local.
 */
export function nsswitchConf(machines: string): string {
  const line = 'hosts: files dns';
  return /^hosts:.*$/m.test(machines) ? machines.replace(/^hosts:.*$/m, line) : `${machines.trimEnd()}\n${line}\n`;
}

/** What this machine lacks for pods to resolve service names; to be said once, at start. */
export function missingFiles(): string | undefined {
  if (existsSync('/etc/resolv.conf')) return undefined;
  return 'this machine has no /etc/resolv.conf, so pods cannot resolve service names: create an empty one (as root: touch /etc/resolv.conf)';
}

/** Writes the pod's files under `directory`; returns what to mount over what. */
export function writeEtcFiles(directory: string, options: EtcOptions): { source: string; target: string }[] {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const mounts: { source: string; target: string }[] = [];
  const place = (name: string, content: string): void => {
    const target = `/etc/${name}`;
    // A bind mount needs something to lie upon. Only resolv.conf matters when it is not there: see missingFiles.
    if (!existsSync(target)) return;
    const source = join(directory, name);
    writeFileSync(source, content, { mode: 0o644 });
    mounts.push({ source, target });
  };
  place('resolv.conf', resolvConf(options));
  place('hosts', hosts(options));
  place('hostname', `${options.hostname}\n`);
  if (existsSync('/etc/nsswitch.conf'))
    place('nsswitch.conf', nsswitchConf(readFileSync('/etc/nsswitch.conf', 'utf8')));
  if (existsSync('/run/nscd')) {
    // The same for the name service cache daemon: its socket disappears under an empty directory.
    const empty = join(directory, 'empty');
    mkdirSync(empty, { recursive: true });
    mounts.push({ source: empty, target: '/run/nscd' });
  }
  return mounts;
}

/** In the pod's new mount namespace. */
export function mountEtcFiles(mounts: readonly { source: string; target: string }[]): void {
  // mount_namespaces(7): without this, mounts made here could propagate to the machine.
  mount('none', '/', null, MS_REC | MS_PRIVATE, 'make the pod’s mounts private');
  for (const { source, target } of mounts) mount(source, target, null, MS_BIND, `mount the pod’s ${target}`);
}
