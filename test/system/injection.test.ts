// Who gets a sidecar, as people change it: the namespace's label, and the injector's policy edited by script.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from './support/eventually.ts';
import { findKubectl } from './support/kubectl.ts';
import { Mesh } from './support/mesh.ts';
import { must, namespacesAllowed, skipUnless } from './support/peers.ts';

const kubectlPeer = findKubectl();
const PATIENCE_MS = 20_000;

describe('injection', { skip: skipUnless(namespacesAllowed(), kubectlPeer) }, () => {
  const mesh = new Mesh();
  const kubectl = async (args: readonly string[], input?: string): Promise<string> => {
    const result = await mesh.run(must(kubectlPeer), args, input);
    assert.equal(result.code, 0, `kubectl ${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  };
  const namespace = (labels: Record<string, string>) =>
    kubectl(
      ['apply', '-f', '-'],
      JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'apps', labels } }),
    );
  /** How many containers a new pod has. */
  const containersOf = async (name: string, annotations: Record<string, string> = {}): Promise<number> => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'apps', annotations },
      spec: { containers: [{ name: 'app', image: 'varka/demo-hello' }] },
    };
    await kubectl(['create', '-f', '-'], JSON.stringify(pod));
    const names = await kubectl(['get', 'pod', name, '-n', 'apps', '-o', 'jsonpath={.spec.containers[*].name}']);
    return names.split(' ').length;
  };

  before(async () => {
    const { code, stderr } = await mesh.up();
    assert.equal(code, 0, stderr);
  });
  after(() => mesh.dispose());

  test('a label that an apply no longer has is gone, for the pods to come', async () => {
    await namespace({ 'istio-injection': 'enabled' });
    assert.equal(await containersOf('labelled'), 2);
    await namespace({});
    await eventually('the label is gone', PATIENCE_MS, async () => {
      const labels = await kubectl(['get', 'namespace', 'apps', '--show-labels', '--no-headers']);
      return labels.includes('istio-injection') ? undefined : true;
    });
    assert.equal(await containersOf('plain'), 1);
    await kubectl(['label', 'namespace', 'apps', 'istio-injection=enabled']);
    assert.equal(await containersOf('again'), 2);
    await kubectl(['label', 'namespace', 'apps', 'istio-injection-']);
    assert.equal(await containersOf('plain-again'), 1);
  });

  test('the policy, edited as a script does it, outlives a restart', async () => {
    await kubectl(['label', 'namespace', 'apps', 'istio-injection=enabled']);
    const place = ['configmap', 'istio-sidecar-injector', '-n', 'istio-system'];
    const yaml = await kubectl(['get', ...place, '-o', 'yaml']);
    await kubectl(['apply', '-f', '-'], yaml.replace(/policy: enabled/g, 'policy: disabled'));
    const asks = { 'sidecar.istio.io/inject': 'true' };
    assert.deepEqual([await containersOf('silent'), await containersOf('asking', asks)], [1, 2]);
    assert.equal(await containersOf('linkerd', { 'linkerd.io/inject': 'enabled' }), 2);
    assert.equal((await mesh.varka('down')).code, 0);
    assert.equal((await mesh.up()).code, 0);
    assert.equal(await containersOf('later'), 1);
  });
});
