// The relay in a mesh, in both generations of its manifests, and the two walkthroughs that it stands in for, on the
// manifests of their own repositories.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { behaves, parsePage } from '../../demos/relay/test/behaviour.ts';
import { binomialBounds } from './support/binomial.ts';
import { eventually } from './support/eventually.ts';
import { findKubectl } from './support/kubectl.ts';
import { Mesh } from './support/mesh.ts';
import { must, namespacesAllowed, ROOT, SANDBOXES, seedManifests, skipSandbox, skipUnless } from './support/peers.ts';
import { serviceTarget } from './support/service-target.ts';

const kubectlPeer = findKubectl();
const seedPeer = seedManifests('seed-2');
const laterPeer = seedManifests('seed-2-virtualservice-version');
const skip = skipUnless(namespacesAllowed(), kubectlPeer);

const MIDDLEWARES = ['middleware-prod', 'middleware-canary'];
/** The stand-in for the time services of the internet. */
const OUTSIDE = join(ROOT, 'demos/relay/manifests/00-outside.yaml');
const PATIENCE_MS = 20_000;
/** Chance that a correct mesh fails the check of a share. */
const FALSE_ALARM = 1e-9;
const REQUESTS = 200;

interface Answer {
  readonly status: number;
  readonly text: string;
}

class Walk {
  readonly mesh = new Mesh();

  async kubectl(args: readonly string[], input?: string): Promise<string> {
    const result = await this.mesh.run(must(kubectlPeer), args, input);
    assert.equal(result.code, 0, `kubectl ${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  }

  async up(files: readonly string[], sandbox = 'netns'): Promise<void> {
    const given = files.flatMap((file) => ['-f', file]);
    const { code, stdout, stderr } = await this.mesh.up(...given, '--sandbox', sandbox);
    assert.equal(code, 0, stdout + stderr);
  }

  /** `frontend-prod 2/2 Running`, of one namespace. */
  async pods(namespace: string): Promise<string[]> {
    const lines = (await this.kubectl(['get', 'pods', '-n', namespace, '--no-headers'])).trim().split('\n');
    return lines
      .map((line) => line.split(/ +/))
      .map(([name = '', ready, status]) => `${name.split('-').slice(0, -2).join('-')} ${ready} ${status}`)
      .sort();
  }

  /** Where the host reaches a Service: at its own port if that is allowed, or else at its node port. */
  async frontend(namespace: string): Promise<string> {
    const service = await eventually('the frontend has an address', PATIENCE_MS, async () => {
      const { spec, status } = JSON.parse(
        await this.kubectl(['get', 'service', 'frontend', '-n', namespace, '-o', 'json']),
      ) as {
        spec: { ports: { nodePort: number }[] };
        status: { loadBalancer: { ingress?: { ip: string; ports?: { error?: string }[] }[] } };
      };
      const [ingress] = status.loadBalancer.ingress ?? [];
      return ingress === undefined ? undefined : { ingress, nodePort: spec.ports[0]?.nodePort };
    });
    const { ingress, nodePort } = service;
    return ingress.ports === undefined ? `http://${ingress.ip}/` : `http://127.0.0.1:${nodePort}/`;
  }
}

/** How many of the requests, each hop of which fails with this chance, are answered as wanted. */
async function count(url: string, fail: number, wanted: (answer: Answer) => boolean): Promise<number> {
  let [left, found] = [REQUESTS, 0];
  const worker = async () => {
    while (left-- > 0) if (wanted(await ask(url, { fail: String(fail) }))) found++;
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  return found;
}

/** All three hops are tried again: one fails for good when four tries do. */
async function expectWholePages(t: TestContext, url: string): Promise<void> {
  const whole = ({ status, text }: Answer) => status === 200 && !text.includes('StatusCodeError');
  const expected = (1 - 0.3 ** 4) ** 3;
  const { low } = binomialBounds(REQUESTS, expected, FALSE_ALARM);
  const good = await eventually('the retries are live', PATIENCE_MS, async () => {
    const found = await count(url, 0.3, whole);
    return found >= low ? found : undefined;
  });
  t.diagnostic(`${good} of ${REQUESTS} whole pages, of which ${Math.round(expected * REQUESTS)} were to be expected`);
}

/** Nobody tries again for the first hop. */
async function expectFailures(t: TestContext, url: string): Promise<void> {
  const failed = await count(url, 0.3, ({ status }) => status === 500);
  const { low, high } = binomialBounds(REQUESTS, 0.3, FALSE_ALARM);
  t.diagnostic(`${failed} of ${REQUESTS} failed`);
  assert.ok(failed >= low && failed <= high, `${failed} is not from ${low} to ${high}`);
}

async function ask(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(url, { headers });
  return { status: response.status, text: await response.text() };
}

async function middlewareOf(url: string, headers: Record<string, string> = {}): Promise<string> {
  const { text } = await ask(url, headers);
  return parsePage(text).names[1] ?? text;
}

/** Which middlewares answer, over a number of requests that no chance could make one-sided. */
async function middlewaresOf(url: string, headers: Record<string, string> = {}): Promise<string[]> {
  const seen = new Set<string>();
  for (let times = 0; times < 40; times++) seen.add(await middlewareOf(url, headers));
  return [...seen].sort();
}

const FOUR_PODS = ['backend-prod', 'frontend-prod', 'middleware-canary', 'middleware-prod'].map(
  (name) => `${name} 2/2 Running`,
);

for (const sandbox of SANDBOXES)
  describe(`relay in a mesh, pods in ${sandbox}`, { skip: skipSandbox(sandbox) || skipUnless(kubectlPeer) }, () => {
    const walk = new Walk();
    const { mesh } = walk;
    let gateway = '';
    let past = '';
    before(async () => {
      await walk.up(['demos/relay'], sandbox);
      gateway = `${(await mesh.status()).gateway.http}/`;
      past = await walk.frontend('relay');
    });
    after(() => mesh.dispose());

    test('is four pods with a sidecar each', async () => {
      assert.deepEqual(await walk.pods('relay'), FOUR_PODS);
    });

    behaves(() => serviceTarget(mesh, 'relay', { frontend: 'http' }), MIDDLEWARES);

    test('both middlewares answer, through the gateway and past it', async () => {
      for (const url of [gateway, past]) assert.deepEqual(await middlewaresOf(url), [...MIDDLEWARES].sort());
    });

    test('production alone answers once that is the rule', async () => {
      await walk.kubectl(['apply', '-f', join(ROOT, 'demos/relay/routing/1-prod.yaml')]);
      await eventually(
        'the rule is live',
        PATIENCE_MS,
        async () => (await middlewaresOf(gateway)).length === 1 || undefined,
      );
      assert.deepEqual(await middlewaresOf(past), ['middleware-prod']);
    });

    test('retries hide the failures of a request that comes through the gateway', async (t) => {
      await walk.kubectl(['apply', '-f', join(ROOT, 'demos/relay/routing/2-retry.yaml')]);
      await expectWholePages(t, gateway);
      // Past the gateway nobody tries again for the frontend.
      await expectFailures(t, past);
    });

    test('who says the word gets the canary, through all hops', async () => {
      await walk.kubectl(['apply', '-f', join(ROOT, 'demos/relay/routing/3-canary.yaml')]);
      const word = { 'x-dev-user': 'super-secret' };
      await eventually('the rule is live', PATIENCE_MS, async () =>
        (await middlewareOf(gateway, word)) === 'middleware-canary' ? true : undefined,
      );
      assert.deepEqual(await middlewaresOf(gateway, word), ['middleware-canary']);
      assert.deepEqual(await middlewaresOf(gateway, { 'x-dev-user': 'guess' }), ['middleware-prod']);
    });
  });

describe('relay, as it was written before there were Gateways', { skip }, () => {
  const walk = new Walk();
  before(() => walk.up([OUTSIDE, 'demos/relay/legacy']));
  after(() => walk.mesh.dispose());

  test('is the same four pods, and an Ingress leads to them', async () => {
    assert.deepEqual(await walk.pods('relay'), FOUR_PODS);
    const ingress = await eventually('the Ingress has an address', PATIENCE_MS, async () => {
      const columns = (await walk.kubectl(['get', 'ingress', '-n', 'relay', '--no-headers'])).trim().split(/\s+/);
      return columns[3]?.startsWith('127.') ? columns : undefined;
    });
    assert.deepEqual([ingress[0], ingress[2], ingress[4]], ['relay', '*', '80']);
    const url = `${(await walk.mesh.status()).gateway.http}/any/path`;
    assert.deepEqual(await ask(url), { status: 404, text: 'Cannot GET /any/path\n' });
  });

  behaves(
    () => ({ fetch: async (_, path, init) => fetch(`${(await walk.mesh.status()).gateway.http}${path}`, init) }),
    MIDDLEWARES,
  );

  test('its rules, one after the other', async (t) => {
    const rule = (file: string) => walk.kubectl(['apply', '-f', join(ROOT, 'demos/relay/legacy-routing', file)]);
    const url = `${(await walk.mesh.status()).gateway.http}/`;
    await rule('1-prod.yaml');
    await eventually('the rule is live', PATIENCE_MS, async () => (await middlewaresOf(url)).length === 1 || undefined);
    assert.deepEqual(await middlewaresOf(url), ['middleware-prod']);
    await rule('2-retry.yaml');
    await expectWholePages(t, url);
    await rule('3-canary.yaml');
    const word = { 'x-dev-user': 'super-secret' };
    await eventually('the rule is live', PATIENCE_MS, async () =>
      (await middlewareOf(url, word)) === 'middleware-canary' ? true : undefined,
    );
    assert.deepEqual(await middlewaresOf(url), ['middleware-prod']);
  });
});

describe('seed 2', { skip: skip || skipUnless(seedPeer) }, () => {
  const walk = new Walk();
  const { kubectl } = { kubectl: walk.kubectl.bind(walk) };
  const manifest = (path: string) => join(must(seedPeer), 'configs', path);
  /** The way through the ingress. */
  let inside = '';
  before(() => walk.up([OUTSIDE]));
  after(() => walk.mesh.dispose());

  test('four pods with a sidecar each, and a frontend that the world reaches', async () => {
    await kubectl(['label', 'namespace', 'default', 'istio-injection=enabled']);
    assert.match(await kubectl(['get', 'namespace', '-L', 'istio-injection']), /^default +Active +\S+ +enabled$/m);
    await kubectl(['apply', '-f', manifest('kube/deployments.yaml')]);
    await kubectl(['apply', '-f', manifest('kube/services.yaml')]);
    await kubectl(['wait', '--for=condition=Available', 'deployment', '--all', '--timeout=60s']);
    assert.deepEqual(await walk.pods('default'), FOUR_PODS);
    const url = await walk.frontend('default');
    assert.deepEqual(await middlewaresOf(url), [...MIDDLEWARES].sort());
    const services = await kubectl(['get', 'svc', '--no-headers']);
    assert.match(services, /^frontend +LoadBalancer +\S+ +127\.\S+ +80:3\d{4}\/TCP /m);
    assert.match(services, /^kubernetes +ClusterIP +/m);
  });

  behaves(
    () => ({ fetch: async (_, path, init) => fetch((await walk.frontend('default')).replace(/\/$/, path), init) }),
    MIDDLEWARES,
  );

  test('one rule a service: always production; a file that says nothing of its version is refused', async () => {
    await kubectl(['apply', '-f', manifest('istio/routing-1.yaml')]);
    const url = await walk.frontend('default');
    await eventually('the rule is live', PATIENCE_MS, async () => (await middlewaresOf(url)).length === 1 || undefined);
    assert.deepEqual(await middlewaresOf(url), ['middleware-prod']);
    const { code, stderr } = await walk.mesh.run(must(kubectlPeer), ['apply', '-f', manifest('istio/egress.yaml')]);
    assert.equal(code, 1);
    assert.match(stderr, /apiVersion not set/);
  });

  test('retries hide what fails inside, but not the frontend, whose caller is outside the mesh', async (t) => {
    await kubectl(['replace', '-f', manifest('istio/routing-2.yaml')]);
    const url = await walk.frontend('default');
    // Of the pages that come, those in which a hop behind the frontend failed four times: 1 - (1 - 0.3^4)^2.
    const { high } = binomialBounds(REQUESTS, 1 - (1 - 0.3 ** 4) ** 2, FALSE_ALARM);
    await eventually('the retries are live', PATIENCE_MS, async () => {
      const broken = await count(url, 0.3, ({ status, text }) => status === 200 && text.includes('StatusCodeError'));
      return broken <= high ? broken : undefined;
    });
    await expectFailures(t, url);
  });

  test('without its own address the frontend is reached through the Ingress alone', async () => {
    await kubectl(['delete', 'svc', 'frontend']);
    await kubectl(['apply', '-f', manifest('kube/services-2.yaml')]);
    const address = await eventually('the Ingress has an address', PATIENCE_MS, async () => {
      const columns = (await kubectl(['get', 'ingress', '--no-headers'])).trim().split(/\s+/);
      assert.deepEqual([columns[0], columns[2], columns[4]], ['istio-ingress', '*', '80']);
      return columns[3]?.startsWith('127.') ? columns[3] : undefined;
    });
    const port = await kubectl([
      ...['get', 'svc', 'istio-ingressgateway', '-n', 'istio-system'],
      ...['-o', 'jsonpath={.spec.ports[?(@.name=="http2")].port}'],
    ]);
    const url = `http://${address}:${port}/`;
    await eventually('the Ingress is live', PATIENCE_MS, async () =>
      (await ask(url)).status === 200 ? true : undefined,
    );
    assert.deepEqual(await middlewaresOf(url), ['middleware-prod']);
    assert.match(
      await kubectl(['get', 'svc', 'frontend', '--no-headers']),
      /^frontend +ClusterIP +\S+ +<none> +80\/TCP /,
    );
    inside = url;
  });

  test('through the ingress all the errors are gone', (t) => expectWholePages(t, inside));

  test('a rule of higher precedence: who says the word gets the canary', async () => {
    await kubectl(['create', '-f', manifest('istio/routing-3.yaml')]);
    const word = { 'x-dev-user': 'super-secret' };
    await eventually('the rule is live', PATIENCE_MS, async () =>
      (await middlewareOf(inside, word)) === 'middleware-canary' ? true : undefined,
    );
    assert.deepEqual(await middlewaresOf(inside, word), ['middleware-canary']);
    assert.deepEqual(await middlewaresOf(inside), ['middleware-prod']);
  });
});

describe('seed 2, with VirtualServices', { skip: skip || skipUnless(laterPeer) }, () => {
  const walk = new Walk();
  const { kubectl } = { kubectl: walk.kubectl.bind(walk) };
  /** Its Makefile fills in the project. */
  const apply = (path: string) => {
    const text = readFileSync(join(must(laterPeer), 'configs', path), 'utf8');
    return kubectl(['apply', '-f', '-'], text.replaceAll('<PROJECT_ID>', 'my-project'));
  };
  let url = '';
  before(async () => {
    await walk.up([OUTSIDE]);
    url = `${(await walk.mesh.status()).gateway.http}/`;
  });
  after(() => walk.mesh.dispose());

  test('nothing answers until there is a way in', async () => {
    await kubectl(['label', 'namespace', 'default', 'istio-injection=enabled']);
    await apply('kube/deployments.yaml');
    await apply('kube/services.yaml');
    await kubectl(['wait', '--for=condition=Available', 'deployment', '--all', '--timeout=60s']);
    assert.deepEqual(await walk.pods('default'), FOUR_PODS);
    await assert.rejects(fetch(url));
    await apply('istio/ingress.yaml');
    await eventually('the gateway is open', PATIENCE_MS, async () =>
      (await ask(url)).status === 200 ? true : undefined,
    );
    assert.match(parsePage((await ask(url)).text).last, /^\{"\$id":"1","currentDateTime":"\d{4}-\d\d-\d\dT\d\d:\d\dZ"/);
    assert.deepEqual(await middlewaresOf(url), [...MIDDLEWARES].sort());
  });

  test('the rules one after the other: production, retries, the canary', async () => {
    await apply('istio/egress.yaml');
    await apply('istio/destinationrules.yaml');
    await apply('istio/routing-1.yaml');
    await eventually('the rule is live', PATIENCE_MS, async () => (await middlewaresOf(url)).length === 1 || undefined);
    await apply('istio/routing-2.yaml');
    assert.deepEqual(await middlewaresOf(url), ['middleware-prod']);
    await apply('istio/routing-3.yaml');
    const word = { 'x-dev-user': 'super-secret' };
    await eventually('the rule is live', PATIENCE_MS, async () =>
      (await middlewareOf(url, word)) === 'middleware-canary' ? true : undefined,
    );
    assert.deepEqual(await middlewaresOf(url), ['middleware-prod']);
  });

  test('the instrumented programs roll out, and say so', async () => {
    await apply('opencensus/deployment.yaml');
    await eventually('the simple one answers in all places', PATIENCE_MS, async () =>
      (await ask(url)).text.match(/secs \(opencensus simple\)\n/g)?.length === 3 ? true : undefined,
    );
    await apply('opencensus/config.yaml');
    await apply('opencensus/deployment2.yaml');
    await eventually('the full one answers in all places', PATIENCE_MS, async () =>
      (await ask(url)).text.match(/secs \(opencensus full\) - num: \d+ - isOdd: (true|false)\n/g)?.length === 3
        ? true
        : undefined,
    );
  });
});
