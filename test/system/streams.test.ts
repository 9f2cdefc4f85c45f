// What connects kubectl to the inside of a pod, in a real mesh.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { findKubectl } from './support/kubectl.ts';
import { leftovers, traces } from './support/leftovers.ts';
import { Mesh } from './support/mesh.ts';
import { must, namespacesAllowed, skipUnless } from './support/peers.ts';
import { startServiceProxy } from './support/service-proxy.ts';

const kubectlPeer = findKubectl();
const skip = skipUnless(namespacesAllowed(), kubectlPeer);
const NAMESPACE = 'servicemesh-apps';

describe('kubectl inside the pods of a mesh', { skip }, () => {
  const mesh = new Mesh();

  before(async () => {
    const up = await mesh.up('-f', 'demos/chain');
    assert.equal(up.code, 0, up.stdout + up.stderr);
  });
  after(() => mesh.dispose());

  test('proxy', async () => {
    const proxy = await startServiceProxy(mesh, must(kubectlPeer));
    const answer = await proxy.fetch(NAMESPACE, 'service-c', 8080, '/');
    assert.equal(answer.status, 200);
    assert.match(await answer.text(), /^Service C \| v[12] \|/);
    const none = await proxy.fetch(NAMESPACE, 'service-c', 1, '/');
    assert.equal(none.status, 503);
    await proxy.stop();
  });

  test('nothing is left of it all', async () => {
    const running = traces(mesh);
    const down = await mesh.varka('down');
    assert.equal(down.code, 0, down.stderr);
    assert.deepEqual(leftovers(mesh, running), []);
  });
});
