// The sock shop in a mesh, and the walkthrough that it stands in for, on the manifests of the walkthrough's own repository.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { behavesAsSockShop, type ShopTarget } from '../../demos/sock-shop/test/behaviour.ts';
import { Shopper } from '../../demos/sock-shop/test/shopper.ts';
import { binomialBounds } from './support/binomial.ts';
import { eventually } from './support/eventually.ts';
import { findKubectl } from './support/kubectl.ts';
import { leftovers, traces } from './support/leftovers.ts';
import { burst } from './support/load.ts';
import { memoryOf } from './support/memory.ts';
import { Mesh } from './support/mesh.ts';
import { must, namespacesAllowed, SANDBOXES, seedManifests, skipSandbox, skipUnless } from './support/peers.ts';
import { serviceTarget } from './support/service-target.ts';

const kubectlPeer = findKubectl();
const seedPeer = seedManifests('seed-4');
const PATIENCE_MS = 60_000;
const REQUESTS = 500;
const CONNECTIONS = 4;
/** Chance that a correct mesh fails the check of a share. */
const FALSE_ALARM = 1e-9;
/** MiB, for everything: the mesh, 15 pods and their sidecars. */
const MEMORY_LIMIT = 1536;

const SERVICES = ['carts', 'catalogue', 'orders', 'payment', 'queue-master', 'shipping', 'user'];
const PODS = [...SERVICES, 'carts-db', 'catalogue-db', 'front-end', 'orders-db', 'rabbitmq', 'session-db', 'user-db'];

function kubectlOf(mesh: Mesh) {
  return async (...args: string[]): Promise<string> => {
    const result = await mesh.run(must(kubectlPeer), args);
    assert.equal(result.code, 0, `kubectl ${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  };
}

/** The front end through the gateway, as a browser reaches it; the services behind it through the API server. */
function shopTarget(mesh: Mesh, gateway: () => string): ShopTarget {
  const services = serviceTarget(mesh, 'sock-shop', Object.fromEntries(SERVICES.map((name) => [name, `http-${name}`])));
  return {
    fetch: (service, path, init) =>
      service === 'front-end' ? fetch(`${gateway()}${path}`, init) : services.fetch(service, path, init),
    log: (program) =>
      kubectlOf(mesh)('logs', '-n', 'sock-shop', `deployment/${program}`, '-c', program, '--tail', '-1'),
  };
}

/** `carts 2/2` … in the order of their names, without what is going. */
async function podsOf(mesh: Mesh): Promise<string[]> {
  const pods = (await mesh.status()).pods.filter(({ namespace }) => namespace === 'sock-shop');
  return pods.map(({ name, ready, phase }) => `${name.replace(/-[a-z0-9]+-[a-z0-9]+$/, '')} ${ready} ${phase}`).sort();
}

const ALL_READY = PODS.map((name) => `${name} ${name === 'rabbitmq' ? '3/3' : '2/2'} Running`).sort();

/** Someone who is new registers, fills a basket, and orders. */
async function buys(target: ShopTarget): Promise<{ shopper: Shopper; order: string }> {
  const shopper = new Shopper(target);
  assert.equal((await shopper.login('user', 'password')).status, 200);
  const [sock] = (await shopper.get('/catalogue?size=1')).json<{ id: string; price: number }[]>();
  assert.equal((await shopper.ask('DELETE', '/cart')).status, 202);
  assert.equal((await shopper.ask('POST', '/cart', { id: sock?.id })).status, 201);
  const placed = await shopper.ask('POST', '/orders');
  assert.equal(placed.status, 201, placed.text);
  const { id, total } = placed.json<{ id: string; total: number }>();
  assert.equal(total, Math.round(((sock?.price ?? 0) + 4.99) * 100) / 100);
  return { shopper, order: id };
}

const colourOf = (page: string): string => /data-buttons="(\w+)"/.exec(page)?.[1] ?? page.slice(0, 100);

/** How the rules lead to the two releases of the front end. */
function releases(gateway: () => string, apply: (step: string) => Promise<unknown>): void {
  const colour = async (headers: Record<string, string> = {}) =>
    colourOf(await (await fetch(gateway(), { headers })).text());
  const becomes = (expected: string) =>
    eventually(`the buttons are ${expected}`, PATIENCE_MS, async () =>
      (await colour()) === expected ? true : undefined,
    );

  test('version 2 is there, and nobody sees it', async () => {
    await apply('v2');
    for (let times = 0; times < 10; times++) assert.equal(await colour(), 'blue');
  });

  test('blue-green: all red, and all blue again', async () => {
    await apply('all-v2');
    await becomes('red');
    for (let times = 0; times < 10; times++) assert.equal(await colour(), 'red');
    await apply('all-v1');
    await becomes('blue');
    for (let times = 0; times < 10; times++) assert.equal(await colour(), 'blue');
  });

  test('canary: one page in five is red', async (t: TestContext) => {
    await apply('canary');
    await becomes('red');
    const answers = await burst(`${gateway()}/`, REQUESTS, CONNECTIONS);
    const red = answers.filter(({ body }) => colourOf(body) === 'red').length;
    assert.equal(answers.filter(({ body }) => colourOf(body) === 'blue').length, REQUESTS - red);
    const { low, high } = binomialBounds(REQUESTS, 0.2, FALSE_ALARM);
    t.diagnostic(`${red} of ${REQUESTS} were red, allowed ${low} to ${high}`);
    assert.ok(red >= low && red <= high, `${red} is not from ${low} to ${high}`);
  });

  test('Firefox sees red, everyone else blue', async () => {
    await apply('firefox');
    const firefox = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0' };
    // The canary before it is red for some too: a row of right answers tells that the rule is live.
    await eventually('ten times red and blue in turn', PATIENCE_MS, async () => {
      for (let times = 0; times < 10; times++) {
        if ((await colour(firefox)) !== 'red') return undefined;
        if ((await colour({ 'user-agent': 'curl/8.7.1' })) !== 'blue') return undefined;
      }
      return true;
    });
  });
}

for (const sandbox of SANDBOXES)
  describe(`the sock shop in a mesh, pods in ${sandbox}`, {
    skip: skipSandbox(sandbox) || skipUnless(kubectlPeer),
  }, () => {
    const mesh = new Mesh();
    const kubectl = kubectlOf(mesh);
    let gateway = '';
    let target: ShopTarget;
    before(async (t) => {
      const begin = performance.now();
      const { code, stdout, stderr } = await mesh.up('-f', 'demos/sock-shop', '--sandbox', sandbox);
      assert.equal(code, 0, stdout + stderr);
      if ('diagnostic' in t) t.diagnostic(`up after ${((performance.now() - begin) / 1000).toFixed(1)} s`);
      gateway = (await mesh.status()).gateway.http;
      target = shopTarget(mesh, () => gateway);
      // Pods are ready when they take requests; that each has found its database takes a moment more.
      await eventually('the shop is open', PATIENCE_MS, async () =>
        (await new Shopper(target).login('user', 'password')).status === 200 ? true : undefined,
      );
    });
    after(() => mesh.dispose());

    test('is fourteen pods, each with a sidecar', async () => {
      assert.deepEqual(await podsOf(mesh), ALL_READY);
    });

    test(`takes less than ${MEMORY_LIMIT} MiB`, async (t: TestContext) => {
      const { total, processes } = await memoryOf(mesh);
      t.diagnostic(`${total} MiB in ${processes} processes`);
      assert.ok(processes > 2 * PODS.length && total < MEMORY_LIMIT, `${total} MiB in ${processes} processes`);
    });

    behavesAsSockShop(() => target);

    test('a pod that is killed comes back, and what it kept is still there', async () => {
      const { shopper, order } = await buys(target);
      await kubectl('delete', 'pod', '-n', 'sock-shop', '-l', 'name in (orders-db, session-db)');
      await eventually('all pods are ready again', PATIENCE_MS, async () => {
        const pods = await podsOf(mesh);
        return JSON.stringify(pods) === JSON.stringify(ALL_READY) ? true : undefined;
      });
      await eventually('the order is listed', PATIENCE_MS, async () => {
        const { status, text } = await shopper.get('/orders');
        return status === 201 && text.includes(order) ? true : undefined;
      });
      await buys(target);
    });

    const STEPS: Readonly<Record<string, string>> = {
      v2: '0-front-end-v2',
      'all-v2': '1-all-v2',
      'all-v1': '2-all-v1',
      canary: '3-canary',
      firefox: '4-firefox',
    };
    releases(
      () => gateway,
      async (step) => {
        await kubectl('apply', '-f', `demos/sock-shop/release/${STEPS[step]}.yaml`);
        if (step === 'v2')
          await kubectl('rollout', 'status', '-n', 'sock-shop', 'deployment/front-end-v2', '--timeout=60s');
      },
    );

    // What loopback pods leave is looked for in loopback.test.ts.
    if (sandbox === 'loopback') return;
    test('down leaves nothing', async () => {
      const before = traces(mesh);
      assert.ok(before.processes > PODS.length);
      const { code, stdout, stderr } = await mesh.varka('down');
      assert.equal(code, 0, stdout + stderr);
      assert.deepEqual(leftovers(mesh, before), []);
    });
  });

describe('seed 4', { skip: skipUnless(namespacesAllowed(), kubectlPeer, seedPeer) }, () => {
  const mesh = new Mesh();
  const kubectl = kubectlOf(mesh);
  const manifest = (path: string) => join(must(seedPeer), path);
  let gateway = '';
  let target: ShopTarget;
  before(async () => {
    const { code, stdout, stderr } = await mesh.up();
    assert.equal(code, 0, stdout + stderr);
    gateway = (await mesh.status()).gateway.http;
    target = shopTarget(mesh, () => gateway);
  });
  after(() => mesh.dispose());

  test('deploy: namespace, directory, virtual services and gateway, to all pods ready', async () => {
    for (const path of [
      'manifests/sock-shop-ns.yaml',
      'manifests',
      'sockshop-virtual-services.yaml',
      'sockshop-gateway.yaml',
    ])
      await kubectl('apply', '-f', manifest(`1-deploy-app/${path}`));
    // Readiness probes have an initial delay of three minutes there.
    await kubectl('wait', '-n', 'sock-shop', '--for=condition=Available', 'deployment', '--all', '--timeout=120s');
    await eventually('the pod list', PATIENCE_MS, async () =>
      JSON.stringify(await podsOf(mesh)) === JSON.stringify(ALL_READY) ? true : undefined,
    );
    await eventually('all proxies SYNCED', PATIENCE_MS, async () => {
      const { proxies } = await mesh.status();
      const states = proxies.flatMap(({ cds, lds, eds, rds }) => [cds, lds, eds, rds]);
      return proxies.length === PODS.length + 1 && states.every((state) => /^(SYNCED|NOT SENT)$/.test(state))
        ? true
        : undefined;
    });
  });

  test('the home page, and both customers of the walkthrough', async () => {
    const page = await eventually('the home page', PATIENCE_MS, async () => {
      const response = await fetch(gateway);
      return response.status === 200 ? await response.text() : undefined;
    });
    assert.equal(colourOf(page), 'blue');
    for (const username of ['user', 'user1']) {
      await eventually(`${username} is logged in`, PATIENCE_MS, async () =>
        (await new Shopper(target).login(username, 'password')).status === 200 ? true : undefined,
      );
    }
    const { order } = await buys(target);
    assert.match(order, /^[0-9a-f]{24}$/);
    await eventually('the shipment', PATIENCE_MS, async () =>
      (await target.log('queue-master')).includes('Received shipment task: ') ? true : undefined,
    );
  });

  const STEPS: Readonly<Record<string, string>> = {
    v2: 'front-end-dep-v2.yaml',
    'all-v2': 'blue-green/frontv2-virtual-service.yaml',
    'all-v1': 'blue-green/frontv1-virtual-service.yaml',
    canary: 'canary/canary-virtual-service.yaml',
    firefox: 'route-headers/frontv2-virtual-service-firefox.yaml',
  };
  releases(
    () => gateway,
    async (step) => {
      await kubectl('apply', '-f', manifest(`2-traffic-management/${STEPS[step]}`));
      if (step === 'v2')
        await kubectl('rollout', 'status', '-n', 'sock-shop', 'deployment/front-end-v2', '--timeout=60s');
    },
  );

  test('the load test: its file takes the namespace’s label away, and its pods have no sidecar', async () => {
    await kubectl('apply', '-f', manifest('6-observability/loadtest-dep.yaml'));
    const labels = await kubectl('get', 'namespace', 'sock-shop', '-o', 'jsonpath={.metadata.labels}');
    assert.doesNotMatch(labels, /istio-injection/);
    await kubectl('rollout', 'status', '-n', 'sock-shop', 'deployment/load-test', '--timeout=60s');
    const pods = await podsOf(mesh);
    assert.deepEqual(
      pods.filter((pod) => pod.startsWith('load-test')),
      ['load-test 1/1 Running', 'load-test 1/1 Running'],
    );
    // An order may be declined for its price, one request in nine; everything else succeeds.
    await eventually('a round of the load test', PATIENCE_MS, async () => {
      const log = await kubectl('logs', '-n', 'sock-shop', 'deployment/load-test', '--tail', '-1');
      const rounds = [...log.matchAll(/^(\d+) requests, (\d+) failed$/gm)];
      return rounds.some(([, made, failed]) => Number(failed) * 9 <= Number(made)) ? true : undefined;
    });
  });
});
