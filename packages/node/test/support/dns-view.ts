// A cluster's names, fixed.
import type { DnsService, DnsView } from '../../src/dns/answer.ts';

const http = { name: 'http', protocol: 'TCP', port: 80 };
const sql = { name: 'sql', protocol: 'TCP', port: 5432 };

const SERVICES: Readonly<Record<string, DnsService>> = {
  'shop/cart': { kind: 'cluster-ip', ips: ['10.96.1.1'], ports: [http, { ...http, name: 'dns', protocol: 'UDP' }] },
  'bank/pay': { kind: 'cluster-ip', ips: ['10.96.1.2'], ports: [http] },
  'default/kubernetes': { kind: 'cluster-ip', ips: ['10.96.0.1'], ports: [] },
  'shop/db': {
    kind: 'headless',
    endpoints: [
      { ip: '10.244.0.7', hostname: 'db-0', ports: [sql] },
      { ip: '10.244.0.8', ports: [sql] },
    ],
  },
  'shop/empty': { kind: 'headless', endpoints: [] },
  'shop/outside': { kind: 'external-name', target: 'Example.com' },
  'shop/alias': { kind: 'external-name', target: 'pay.bank.svc.cluster.local' },
  'shop/clock': { kind: 'external-name', target: 'time.example.org' },
  'shop/loop': { kind: 'external-name', target: 'loop.shop.svc.cluster.local' },
  'shop/many': {
    kind: 'headless',
    endpoints: Array.from({ length: 200 }, (_, index) => ({ ip: `10.244.1.${index}`, ports: [] })),
  },
};

/** Services that answer for names of the world outside. */
export const fixedStandIns: Record<string, DnsService> = {
  'time.example.org': { kind: 'cluster-ip', ips: ['10.96.1.2'], ports: [http] },
};

export const fixedView: DnsView = {
  service: (namespace, name) => SERVICES[`${namespace}/${name}`],
  hasServices: (namespace) => Object.keys(SERVICES).some((key) => key.startsWith(`${namespace}/`)),
  standIn: (name) => fixedStandIns[name],
  reverse: (ip) => (ip === '10.96.1.1' ? { namespace: 'shop', name: 'cart' } : undefined),
};

/** The same, by namespace and name. */
export const fixedNames: Record<string, Record<string, DnsService>> = {};
for (const [key, service] of Object.entries(SERVICES)) {
  const [namespace = '', name = ''] = key.split('/');
  fixedNames[namespace] = { ...fixedNames[namespace], [name]: service };
}
