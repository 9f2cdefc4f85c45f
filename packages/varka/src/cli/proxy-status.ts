// `varka proxy-status`: istioctl's table of the same name.
import { fetchStatus } from '../front/control-client.ts';
import type { Profile } from '../profile.ts';
import { table } from './table.ts';

export async function proxyStatus(profile: Profile, output: 'text' | 'json'): Promise<void> {
  const { proxies } = await fetchStatus(profile);
  if (output === 'json') {
    process.stdout.write(`${JSON.stringify(proxies, null, 2)}\n`);
    return;
  }
  const rows = proxies.map((proxy) => [
    proxy.name,
    'Kubernetes',
    proxy.cds,
    proxy.lds,
    proxy.eds,
    proxy.rds,
    'istiod',
    proxy.version,
  ]);
  process.stdout.write(
    rows.length === 0
      ? 'no proxy is connected\n'
      : table(['NAME', 'CLUSTER', 'CDS', 'LDS', 'EDS', 'RDS', 'ISTIOD', 'VERSION'], rows),
  );
}
