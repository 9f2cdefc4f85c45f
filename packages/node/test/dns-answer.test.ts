// The Kubernetes DNS specification, question by question.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { answer } from '../src/dns/answer.ts';
import { fixedView } from './support/dns-view.ts';

/** `RCODE: TYPE DATA …`, or where else to ask. */
function ask(name: string, type = 'A'): string {
  const result = answer({ name, type }, fixedView, 'cluster.local');
  if (result.kind === 'external') return `outside: ${result.name}${result.aliases.length > 0 ? ' by alias' : ''}`;
  const answers = result.answers.map((record) => {
    if (record.type === 'SRV') return `SRV ${record.data.port} ${record.data.target} ${record.data.weight}`;
    if (record.type === 'SOA') return `SOA ${record.data.mname}`;
    return `${record.type} ${'data' in record ? String(record.data) : ''}`;
  });
  const negative = result.authorities.some((record) => record.type === 'SOA') ? ' (SOA)' : '';
  return `${result.rcode}: ${answers.join(', ')}${negative}`.trim();
}

const cases: Record<string, [question: string, type: string, expected: string][]> = {
  services: [
    ['cart.shop.svc.cluster.local', 'A', 'NOERROR: A 10.96.1.1'],
    ['CART.Shop.svc.cluster.local.', 'A', 'NOERROR: A 10.96.1.1'],
    ['cart.shop.svc.cluster.local', 'ANY', 'NOERROR: A 10.96.1.1'],
    ['cart.shop.svc.cluster.local', 'AAAA', 'NOERROR:  (SOA)'],
    ['cart.shop.svc.cluster.local', 'MX', 'NOERROR:  (SOA)'],
    ['nobody.shop.svc.cluster.local', 'A', 'NXDOMAIN:  (SOA)'],
    ['cart.nowhere.svc.cluster.local', 'A', 'NXDOMAIN:  (SOA)'],
    ['x.cart.shop.svc.cluster.local', 'A', 'NXDOMAIN:  (SOA)'],
    ['_http._tcp.cart.shop.svc.cluster.local', 'SRV', 'NOERROR: SRV 80 cart.shop.svc.cluster.local 100'],
    ['_dns._udp.cart.shop.svc.cluster.local', 'SRV', 'NOERROR: SRV 80 cart.shop.svc.cluster.local 100'],
    ['_http._udp.cart.shop.svc.cluster.local', 'SRV', 'NXDOMAIN:  (SOA)'],
    ['_http._tcp.cart.shop.svc.cluster.local', 'A', 'NOERROR:  (SOA)'],
  ],
  headless: [
    ['db.shop.svc.cluster.local', 'A', 'NOERROR: A 10.244.0.7, A 10.244.0.8'],
    ['db-0.db.shop.svc.cluster.local', 'A', 'NOERROR: A 10.244.0.7'],
    ['10-244-0-8.db.shop.svc.cluster.local', 'A', 'NOERROR: A 10.244.0.8'],
    ['10-244-0-7.db.shop.svc.cluster.local', 'A', 'NXDOMAIN:  (SOA)'],
    ['empty.shop.svc.cluster.local', 'A', 'NXDOMAIN:  (SOA)'],
    [
      '_sql._tcp.db.shop.svc.cluster.local',
      'SRV',
      'NOERROR: SRV 5432 db-0.db.shop.svc.cluster.local 50, SRV 5432 10-244-0-8.db.shop.svc.cluster.local 50',
    ],
  ],
  aliases: [
    ['alias.shop.svc.cluster.local', 'A', 'NOERROR: CNAME pay.bank.svc.cluster.local, A 10.96.1.2'],
    ['outside.shop.svc.cluster.local', 'A', 'outside: example.com by alias'],
    ['loop.shop.svc.cluster.local', 'A', 'NXDOMAIN:  (SOA)'],
  ],
  'names outside that a service answers for': [
    ['time.example.org', 'A', 'NOERROR: A 10.96.1.2'],
    ['Time.Example.org.', 'A', 'NOERROR: A 10.96.1.2'],
    ['time.example.org', 'AAAA', 'NOERROR:  (SOA)'],
    ['clock.shop.svc.cluster.local', 'A', 'NOERROR: CNAME time.example.org, A 10.96.1.2'],
    ['x.time.example.org', 'A', 'outside: x.time.example.org'],
  ],
  'the rest of the zone': [
    ['cluster.local', 'SOA', 'NOERROR: SOA ns.dns.cluster.local'],
    ['cluster.local', 'A', 'NOERROR:  (SOA)'],
    ['svc.cluster.local', 'A', 'NOERROR:  (SOA)'],
    ['shop.svc.cluster.local', 'A', 'NOERROR:  (SOA)'],
    ['nowhere.svc.cluster.local', 'A', 'NXDOMAIN:  (SOA)'],
    ['example.com.cluster.local', 'A', 'NXDOMAIN:  (SOA)'],
    ['10-244-0-9.shop.pod.cluster.local', 'A', 'NOERROR: A 10.244.0.9'],
    ['10-244-0-999.shop.pod.cluster.local', 'A', 'NXDOMAIN:  (SOA)'],
    ['dns-version.cluster.local', 'TXT', 'NOERROR: TXT 1.1.0'],
  ],
  elsewhere: [
    ['example.com', 'A', 'outside: example.com'],
    ['notcluster.local', 'A', 'outside: notcluster.local'],
    ['1.1.96.10.in-addr.arpa', 'PTR', 'NOERROR: PTR cart.shop.svc.cluster.local'],
    ['9.9.96.10.in-addr.arpa', 'PTR', 'outside: 9.9.96.10.in-addr.arpa'],
  ],
};

for (const [topic, rows] of Object.entries(cases)) {
  describe(topic, () => {
    for (const [name, type, expected] of rows) {
      test(`${type} ${name}`, () => assert.equal(ask(name, type), expected));
    }
  });
}
