// A mesh with one thing wrong, and what is said about it; a mesh with nothing wrong, about which nothing is said.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { KubeObject } from '@varka/kube/object.ts';
import { parseAllDocuments } from 'yaml';
import { analyze } from '../../src/analyze/analyze.ts';
import type { Finding, View } from '../../src/analyze/finding.ts';
import type { DestinationRuleObject, GatewayObject, VirtualServiceObject } from '../../src/config/istio-types.ts';
import type { PodObject } from '../../src/inject/workload.ts';
import type { ServiceObject } from '../../src/registry/service.ts';

const meta = (name: string, namespace: string, more: Record<string, unknown> = {}) => ({
  metadata: { name, namespace, ...more },
});
const service = (name: string, namespace = 'apps', ports = [8080]): ServiceObject => ({
  ...meta(name, namespace),
  spec: { selector: { app: name }, ports: ports.map((port) => ({ name: `http-${port}`, port })) },
});
const pod = (name: string, namespace: string, labels: Record<string, string>, proxy = true): PodObject => ({
  ...meta(name, namespace, { labels }),
  spec: {
    containers: ['app', ...(proxy ? ['istio-proxy'] : [])].map((container) => ({ name: container, image: 'i' })),
  },
});
const rule = (spec: VirtualServiceObject['spec'], name = 'rule', namespace = 'apps'): VirtualServiceObject => ({
  ...meta(name, namespace),
  spec: spec!,
});
const to = (destination: { host: string; subset?: string; port?: { number: number } }) => ({
  http: [{ route: [{ destination }] }],
});

/** Nothing wrong with it. */
const sound = {
  namespaces: [
    { metadata: { name: 'apps', labels: { 'istio-injection': 'enabled' } } },
    { metadata: { name: 'istio-system' } },
  ],
  services: [service('web'), service('istio-ingressgateway', 'istio-system', [80, 443])],
  pods: [
    pod('web-1', 'apps', { app: 'web', version: 'v1' }),
    pod('gw-1', 'istio-system', { app: 'istio-ingressgateway', istio: 'ingressgateway' }),
  ],
  gateways: [
    {
      ...meta('gw', 'apps'),
      spec: {
        selector: { istio: 'ingressgateway' },
        servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*.example.com', 'apps/web.org'] }],
      },
    } satisfies GatewayObject,
  ],
  destinationRules: [
    {
      ...meta('web', 'apps'),
      spec: { host: 'web', subsets: [{ name: 'v1', labels: { version: 'v1' } }] },
    } satisfies DestinationRuleObject,
  ],
  virtualServices: [
    rule({ hosts: ['web'], ...to({ host: 'web', subset: 'v1' }) }),
    rule(
      { hosts: ['a.example.com', 'web.org'], gateways: ['gw'], ...to({ host: 'web.apps.svc.cluster.local' }) },
      'in',
    ),
  ],
} satisfies View;

/** `Error [IST0101] (VirtualService apps/web) spec.http[0]…: sentence`, the form of `istioctl analyze`. */
const words = (findings: readonly Finding[]) =>
  findings.map(({ level, code, object, path, sentence }) => {
    const name = object.namespace === undefined ? object.name : `${object.namespace}/${object.name}`;
    const word = `${level.charAt(0).toUpperCase()}${level.slice(1)}`;
    return `${word} [${code}] (${object.kind} ${name}) ${path === '' ? '' : `${path}: `}${sentence}`;
  });
const withRule = (spec: VirtualServiceObject['spec']): View => ({ ...sound, virtualServices: [rule(spec)] });

describe('the analyzer', () => {
  it('has nothing to say about a sound mesh, or an empty one', () => {
    assert.deepEqual(words(analyze(sound)), []);
    assert.deepEqual(analyze({}), []);
  });

  const rows: readonly [what: string, view: View, finding: string][] = [
    [
      'a destination that does not exist',
      withRule({ hosts: ['web'], ...to({ host: 'shop' }) }),
      'Error [IST0101] (VirtualService apps/rule) spec.http[0].route[0].destination.host: Referenced host not found: "shop"',
    ],
    [
      'a subset that the DestinationRule does not have',
      withRule({ hosts: ['web'], ...to({ host: 'web', subset: 'v9' }) }),
      'Error [IST0101] (VirtualService apps/rule) spec.http[0].route[0].destination.subset: ' +
        'Referenced host+subset in destinationrule not found: "web.apps.svc.cluster.local+v9"',
    ],
    [
      'a subset without any DestinationRule',
      { ...withRule({ hosts: ['web'], ...to({ host: 'web', subset: 'v1' }) }), destinationRules: [] },
      'Error [IST0101] (VirtualService apps/rule) spec.http[0].route[0].destination.subset: ' +
        'Referenced host+subset in destinationrule not found: "web.apps.svc.cluster.local+v1"',
    ],
    [
      'a port that the service does not have',
      withRule({ hosts: ['web'], ...to({ host: 'web', port: { number: 80 } }) }),
      'Error [IST0101] (VirtualService apps/rule) spec.http[0].route[0].destination.port.number: ' +
        'Referenced port not found: "web.apps.svc.cluster.local:80"',
    ],
    [
      'a service of several ports and no word which',
      {
        ...withRule({ hosts: ['web'], ...to({ host: 'web' }) }),
        services: [service('web', 'apps', [80, 81]), sound.services[1]!],
      },
      'Error [IST0112] (VirtualService apps/rule) spec.http[0].route[0].destination: ' +
        'This VirtualService routes to a service "web" that exposes multiple ports 80, 81',
    ],
    [
      'a gateway that does not exist',
      withRule({ hosts: ['a.example.com'], gateways: ['other'], ...to({ host: 'web' }) }),
      'Error [IST0101] (VirtualService apps/rule) spec.gateways[0]: Referenced gateway not found: "apps/other"',
    ],
    [
      'a host that the gateway does not serve',
      withRule({ hosts: ['b.org'], gateways: ['gw'], ...to({ host: 'web' }) }),
      'Warning [IST0132] (VirtualService apps/rule) spec.gateways[0]: The host b.org is not among those of Gateway apps/gw',
    ],
    [
      'a host of the gateway that is for another namespace',
      {
        ...sound,
        virtualServices: [
          rule(
            { hosts: ['web.org'], gateways: ['apps/gw'], ...to({ host: 'web.apps.svc.cluster.local' }) },
            'r',
            'else',
          ),
        ],
      },
      'Warning [IST0132] (VirtualService else/r) spec.gateways[0]: The host web.org is not among those of Gateway apps/gw',
    ],
    [
      'a rule for a service that does not exist',
      withRule({ hosts: ['shop'], ...to({ host: 'web' }) }),
      'Warning [VARKA0002] (VirtualService apps/rule) spec.hosts[0]: ' +
        'The host shop.apps.svc.cluster.local does not match any services in the mesh',
    ],
    [
      'a gateway selector without pods',
      { ...sound, pods: sound.pods.slice(0, 1) },
      'Error [IST0101] (Gateway apps/gw) spec.selector: Referenced selector not found: "istio=ingressgateway"',
    ],
    [
      'a gateway port that its Service lacks',
      {
        ...sound,
        gateways: [
          {
            ...sound.gateways[0]!,
            spec: {
              selector: { istio: 'ingressgateway' },
              servers: [{ port: { number: 9000, name: 'x', protocol: 'HTTP' }, hosts: ['*'] }],
            },
          },
        ],
      },
      'Warning [IST0162] (Gateway apps/gw) spec.servers[0].port.number: ' +
        'The gateway listens on port 9000, which Service istio-system/istio-ingressgateway does not have',
    ],
    [
      'a DestinationRule for nobody',
      { ...sound, destinationRules: [...sound.destinationRules, { ...meta('x', 'apps'), spec: { host: 'shop' } }] },
      'Warning [IST0174] (DestinationRule apps/x) spec.host: ' +
        'The host shop.apps.svc.cluster.local defined in the DestinationRule does not match any services in the mesh',
    ],
    [
      'a subset without pods',
      { ...sound, pods: [pod('web-2', 'apps', { app: 'web', version: 'v2' }), sound.pods[1]!] },
      'Warning [IST0173] (DestinationRule apps/web) spec.subsets[0]: ' +
        'The Subset v1 of web.apps.svc.cluster.local does not select any pods',
    ],
    [
      'a pod from before its namespace was enabled',
      { ...sound, pods: [...sound.pods, pod('old', 'apps', { app: 'web', version: 'v1' }, false)] },
      'Warning [IST0103] (Pod apps/old) The pod old is missing the sidecar it ought to have',
    ],
    [
      'rules in a namespace without sidecars',
      {
        ...sound,
        namespaces: [{ metadata: { name: 'apps' } }],
        pods: [pod('web-1', 'apps', { app: 'web', version: 'v1' }, false), sound.pods[1]!],
      },
      'Warning [IST0102] (Namespace apps) The namespace is not enabled for injection, and none of its pods has a sidecar',
    ],
  ];
  for (const [what, view, expected] of rows) {
    it(`sees ${what}`, () => assert.deepEqual(words(analyze(view)), [expected]));
  }

  it('names what may have been meant', () => {
    const [first] = analyze(withRule({ hosts: ['web'], ...to({ host: 'web.other' }) }));
    assert.equal(first?.nextStep, 'did you mean web.apps.svc.cluster.local?');
    const [second] = analyze(withRule({ hosts: ['web'], ...to({ host: 'web', subset: 'v9' }) }));
    assert.match(second?.nextStep ?? '', /add a subset "v9" to DestinationRule apps\/web, or use one that it has: v1/);
  });

  it('says why a pod that asks for a sidecar has none', () => {
    const asking = pod('web-2', 'apps', { app: 'web', version: 'v1' }, false);
    const asked = { ...asking, metadata: { ...asking.metadata, annotations: { 'sidecar.istio.io/inject': 'true' } } };
    const findings = analyze({ ...sound, namespaces: [{ metadata: { name: 'apps' } }], pods: [...sound.pods, asked] });
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['IST0103'],
    );
    assert.match(findings[0]?.cause ?? '', /namespace apps is neither labelled .* nor in a ServiceMeshMemberRoll/);
  });

  it('sees two rules that claim one host for the sidecars, and names the one in force', () => {
    const one = rule({ hosts: ['web'], ...to({ host: 'web' }) }, 'younger');
    const two = rule({ hosts: ['web.apps.svc.cluster.local'], ...to({ host: 'web' }) }, 'elder');
    one.metadata = { ...one.metadata, creationTimestamp: '2026-01-02T00:00:00Z' };
    two.metadata = { ...two.metadata, creationTimestamp: '2026-01-01T00:00:00Z' };
    const findings = analyze({ ...sound, virtualServices: [one, two] });
    assert.deepEqual(
      findings.map(({ code, object }) => `${code} ${object.name}`),
      ['IST0109 elder', 'IST0109 younger'],
    );
    assert.match(findings[0]?.cause ?? '', /only the oldest, apps\/elder/);

    const atGateway = [one, two].map((each) => ({
      ...each,
      spec: { ...each.spec, hosts: ['a.example.com'], gateways: ['gw'] },
    }));
    assert.deepEqual(analyze({ ...sound, virtualServices: atGateway }), []);
  });

  it('sees no conflict between rules that no namespace sees both of', () => {
    const host = 'web.apps.svc.cluster.local';
    const spec = { hosts: [host], exportTo: ['.'], ...to({ host }) };
    const rules = [rule(spec, 'a', 'one'), rule(spec, 'b', 'two')];
    assert.deepEqual(words(analyze({ ...sound, virtualServices: rules })), []);
  });

  it('reports fields that are not carried out, though the items of a list have no kind', () => {
    const odd = rule({ hosts: ['web'], ...to({ host: 'web' }) });
    const withUnknown = { ...odd, spec: { ...odd.spec, notOfThisApi: 1 } } as VirtualServiceObject;
    assert.deepEqual(words(analyze({ ...sound, virtualServices: [withUnknown] })), [
      'Warning [VARKA0001] (VirtualService apps/rule) spec.notOfThisApi: ' +
        'The field spec.notOfThisApi is accepted, but this version of Varka does not carry it out',
    ]);
  });

  it('puts the worst first', () => {
    const findings = analyze({
      ...sound,
      virtualServices: [rule({ hosts: ['shop'], ...to({ host: 'nobody' }) })],
    });
    assert.deepEqual(
      findings.map(({ level }) => level),
      ['error', 'warning'],
    );
  });

  it("has nothing to say about the chain's manifests once they run", () => {
    const objects: KubeObject[] = [];
    for (const folder of ['manifests', 'canary']) {
      const directory = new URL(`../../../../demos/chain/${folder}/`, import.meta.url);
      for (const file of readdirSync(directory)) {
        if (folder === 'canary' && !/^[03]-/.test(file)) continue;
        for (const document of parseAllDocuments(readFileSync(new URL(file, directory), 'utf8')))
          objects.push(document.toJS());
      }
    }
    const of = <T extends KubeObject>(kind: string): T[] => objects.filter((object) => object.kind === kind) as T[];
    const running = of<KubeObject>('Deployment').map((deployment) => {
      const { template } = deployment['spec'] as { template: { metadata: { labels: Record<string, string> } } };
      return pod(`${deployment.metadata?.name}-1`, 'servicemesh-apps', template.metadata.labels);
    });
    const findings = analyze({
      namespaces: of('Namespace'),
      memberRolls: of('ServiceMeshMemberRoll'),
      services: [...of<ServiceObject>('Service'), sound.services[1]!],
      gateways: of('Gateway'),
      virtualServices: of('VirtualService'),
      destinationRules: of('DestinationRule'),
      pods: [...running, sound.pods[1]!],
    });
    assert.deepEqual(words(findings), []);
    assert.equal(running.length, 4);
  });
});

describe('every finding', () => {
  it('has a cause and a next step', () => {
    const findings = analyze({
      ...sound,
      virtualServices: [rule({ hosts: ['shop'], gateways: ['none', 'mesh'], ...to({ host: 'nobody' }) })],
      pods: [],
    });
    assert.ok(findings.length >= 4);
    for (const { sentence, cause, nextStep } of findings) assert.ok(sentence && cause && nextStep);
  });
});
