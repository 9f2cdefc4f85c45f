// What `proxy-status` shows: how far each connected proxy is with what it was sent [istioctl proxy-status].
import type { AdsConnection } from '@varka/xds/ads-connection.ts';
import { CLUSTER, ENDPOINTS, LISTENER, ROUTES, type TypeUrl } from '@varka/xds/type-urls.ts';

export type SyncStatus = 'SYNCED' | 'STALE' | 'NOT SENT' | 'ERROR';

export interface ProxyStatus {
  /** `pod.namespace`. */
  readonly proxy: string;
  readonly type: string;
  readonly cds: SyncStatus;
  readonly lds: SyncStatus;
  readonly eds: SyncStatus;
  readonly rds: SyncStatus;
  readonly istiod: string;
  /** The proxy's own version, as its node says; '' when it does not. */
  readonly version: string;
  /** What it last refused and still has not got over. */
  readonly errors: readonly { readonly type: 'cds' | 'lds' | 'eds' | 'rds'; readonly message: string }[];
}

const TYPES = { cds: CLUSTER, lds: LISTENER, eds: ENDPOINTS, rds: ROUTES } as const satisfies Record<string, TypeUrl>;

export function proxyStatusOf(
  connection: AdsConnection,
  proxy: { name: string; type: string },
  istiod: string,
): ProxyStatus {
  const errors: { type: keyof typeof TYPES; message: string }[] = [];
  const sync = (type: keyof typeof TYPES): SyncStatus => {
    const status = connection.status(TYPES[type]);
    if (status.kind === 'ERROR') errors.push({ type, message: status.message });
    return status.kind;
  };
  const { name, type } = proxy;
  const state = { cds: sync('cds'), lds: sync('lds'), eds: sync('eds'), rds: sync('rds') };
  return { proxy: name, type, ...state, istiod, version: versionOf(connection), errors };
}

function versionOf({ node }: AdsConnection): string {
  const { userAgentVersionType: version } = node;
  const stated = node.metadata?.['ISTIO_VERSION'];
  if (typeof stated === 'string') return stated;
  if (version.case === 'userAgentVersion') return version.value;
  if (version.case !== 'userAgentBuildVersion') return '';
  const { majorNumber = 0, minorNumber = 0, patch = 0 } = version.value.version ?? {};
  return `${majorNumber}.${minorNumber}.${patch}`;
}
