// Which pods get a sidecar, row by row, and what an injected pod looks like.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type InjectionContext, injectPod } from '../../src/inject/inject-pod.ts';
import type { PodObject } from '../../src/inject/workload.ts';

interface PodWords {
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  hostNetwork?: boolean;
}

function pod(words: PodWords = {}): PodObject {
  return {
    metadata: {
      name: 'web',
      ...(words.labels && { labels: words.labels }),
      ...(words.annotations && { annotations: words.annotations }),
    },
    spec: { containers: [{ name: 'web', image: 'web' }], ...(words.hostNetwork && { hostNetwork: true }) },
  };
}

function context(name: string, labels: Record<string, string> = {}, members: string[] = []): InjectionContext {
  return {
    namespace: { metadata: { name, labels } },
    memberRolls: members.length === 0 ? [] : [{ metadata: { name: 'default' }, spec: { members } }],
  };
}

const YES = { 'sidecar.istio.io/inject': 'true' };
const NO = { 'sidecar.istio.io/inject': 'false' };
const ENABLED = { 'istio-injection': 'enabled' };

const LINKERD = { 'linkerd.io/inject': 'enabled' };
const linkerdNamespace: InjectionContext = {
  namespace: { metadata: { name: 'apps', annotations: LINKERD } },
  memberRolls: [],
};

const rows: readonly [string, PodWords, InjectionContext, boolean][] = [
  ['a plain pod in a plain namespace', {}, context('apps'), false],
  ['an annotated pod in a plain namespace', { annotations: YES }, context('apps'), false],
  ['a labelled pod in a plain namespace', { labels: YES }, context('apps'), true],
  ['a plain pod in an enabled namespace', {}, context('apps', ENABLED), true],
  ['annotation "false" in an enabled namespace', { annotations: NO }, context('apps', ENABLED), false],
  ['label "false" in an enabled namespace', { labels: NO }, context('apps', ENABLED), false],
  ['the label wins when it says no', { labels: NO, annotations: YES }, context('apps', ENABLED), false],
  ['the label wins when it says yes', { labels: YES, annotations: NO }, context('apps', ENABLED), true],
  ['a word that is neither', { annotations: { 'sidecar.istio.io/inject': 'maybe' } }, context('apps', ENABLED), true],
  [
    'a labelled pod in a disabled namespace',
    { labels: YES },
    context('apps', { 'istio-injection': 'disabled' }),
    false,
  ],
  ['a plain pod in a member namespace', {}, context('apps', {}, ['apps']), false],
  ['an annotated pod in a member namespace', { annotations: YES }, context('apps', {}, ['other', 'apps']), true],
  ['an annotated pod beside the member namespaces', { annotations: YES }, context('apps', {}, ['other']), false],
  ['label "false" in a member namespace', { labels: NO, annotations: YES }, context('apps', {}, ['apps']), false],
  ['the host network', { labels: YES, hostNetwork: true }, context('apps', ENABLED), false],
  ['kube-system', { labels: YES }, context('kube-system', ENABLED), false],
  ['a revision label on the namespace', {}, context('apps', { 'istio.io/rev': 'stable' }), true],
  ['a revision label on the pod', { labels: { 'istio.io/rev': 'stable' } }, context('apps'), true],
  ['policy disabled, a plain pod', {}, { ...context('apps', ENABLED), policy: 'disabled' }, false],
  ['a pod that asks Linkerd', { annotations: LINKERD }, context('apps'), true],
  [
    'a pod that asks Linkerd, policy disabled',
    { annotations: LINKERD },
    { ...context('apps'), policy: 'disabled' },
    true,
  ],
  [
    'a pod that wants none of Linkerd',
    { annotations: { 'linkerd.io/inject': 'disabled' } },
    context('apps', ENABLED),
    false,
  ],
  ['Linkerd yes, Istio no', { annotations: { ...LINKERD, ...NO } }, context('apps', ENABLED), false],
  ['a plain pod where the namespace asks Linkerd', {}, linkerdNamespace, true],
  ['policy disabled, a pod that asks', { annotations: YES }, { ...context('apps', ENABLED), policy: 'disabled' }, true],
];

describe('which pods are injected', () => {
  for (const [name, words, where, expected] of rows) {
    it(`${name}: ${expected ? 'yes' : 'no'}`, () => {
      const result = injectPod(pod(words), where);
      assert.equal(result.inject, expected);
      if (!result.inject) assert.notEqual(result.reason, '');
    });
  }

  it('tells whether a pod that gets none had asked for it', () => {
    const asked = (words: PodWords) => {
      const result = injectPod(pod(words), context('apps'));
      return !result.inject && result.asked;
    };
    assert.equal(asked({ annotations: YES }), true);
    assert.equal(asked({}), false);
    assert.equal(asked({ annotations: NO }), false);
  });
});

describe('an injected pod', () => {
  const original: PodObject = {
    metadata: {
      generateName: 'service-c-v2-5d9c7b-',
      labels: { app: 'service-c', version: 'v2', 'pod-template-hash': '5d9c7b' },
      annotations: YES,
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'service-c-v2-5d9c7b', uid: 'u', controller: true },
      ],
    },
    spec: {
      serviceAccountName: 'sa-c',
      containers: [
        { name: 'service-c', image: 'c', readinessProbe: { httpGet: { path: '/health', port: 8080 } } },
        { name: 'helper', image: 'h' },
      ],
    },
  };
  const frozen = JSON.stringify(original);
  const result = injectPod(original, context('apps', {}, ['apps']));
  assert.ok(result.inject);
  const injected = result.pod;
  const proxy = injected.spec?.containers.find(({ name }) => name === 'istio-proxy');

  it('has the proxy beside the containers it had, which are untouched', () => {
    assert.deepEqual(injected.spec?.containers.slice(0, 2), original.spec?.containers);
    assert.equal(injected.spec?.containers.length, 3);
    assert.equal(JSON.stringify(original), frozen);
  });

  it('starts the proxy with a bootstrap that names the workload', () => {
    assert.equal(proxy?.image, 'varka/proxyv2');
    assert.equal(proxy?.args?.[0], '--config-yaml');
    const config = JSON.parse(proxy?.args?.[1] ?? '');
    assert.equal(config.node.cluster, 'service-c-v2.$(POD_NAMESPACE)');
    assert.equal(config.node.metadata.OWNER, 'kubernetes://apis/apps/v1/namespaces/apps/deployments/service-c-v2');
    assert.equal(config.node.metadata.SERVICE_ACCOUNT, 'sa-c');
    assert.equal(config.node.metadata.APP_CONTAINERS, 'service-c,helper');
    assert.equal(config.node.metadata.LABELS['service.istio.io/canonical-name'], 'service-c');
  });

  it('gives the proxy every variable that its bootstrap asks the kubelet to expand', () => {
    const asked = new Set([...(proxy?.args?.[1] ?? '').matchAll(/\$\((\w+)\)/g)].map((match) => match[1]));
    const given = new Set(proxy?.env?.map(({ name }) => name));
    assert.ok(asked.size > 0);
    for (const name of asked) assert.ok(given.has(name ?? ''), name);
  });

  it('is ready when the proxy is', () => {
    assert.deepEqual(proxy?.readinessProbe?.httpGet, { path: '/healthz/ready', port: 15021 });
  });

  it('carries the labels and annotations that tools look for, and keeps its own', () => {
    assert.deepEqual(injected.metadata?.labels, {
      app: 'service-c',
      version: 'v2',
      'pod-template-hash': '5d9c7b',
      'security.istio.io/tlsMode': 'istio',
      'service.istio.io/canonical-name': 'service-c',
      'service.istio.io/canonical-revision': 'v2',
    });
    const annotations = injected.metadata?.annotations ?? {};
    assert.equal(annotations['kubectl.kubernetes.io/default-container'], 'service-c');
    assert.equal(annotations['sidecar.istio.io/inject'], 'true');
    assert.deepEqual(JSON.parse(annotations['sidecar.istio.io/status'] ?? '').containers, ['istio-proxy']);
  });

  it('is left alone the second time', () => {
    const again = injectPod(injected, context('apps', ENABLED));
    assert.equal(again.inject, false);
  });

  it('has its own default container when it names one', () => {
    const own = {
      ...original,
      metadata: { ...original.metadata, annotations: { ...YES, 'kubectl.kubernetes.io/default-container': 'helper' } },
    };
    const second = injectPod(own, context('apps', {}, ['apps']));
    assert.ok(second.inject);
    assert.equal(second.pod.metadata?.annotations?.['kubectl.kubernetes.io/default-container'], 'helper');
  });

  it('is named after itself when it has no controller and no labels', () => {
    const bare = injectPod(
      { metadata: { name: 'web' }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      context('apps', ENABLED),
    );
    assert.ok(bare.inject);
    assert.equal(bare.pod.metadata?.labels?.['service.istio.io/canonical-name'], 'web');
    assert.equal(bare.pod.metadata?.labels?.['service.istio.io/canonical-revision'], 'latest');
  });
});
