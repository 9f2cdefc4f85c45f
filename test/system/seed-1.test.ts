// "Service Mesh for Developers", its gateway, canary and circuit-breaker chapters: the commands as printed (kubectl for
// oc), on the manifests of the article's own repository; the canary under a steady load that must not notice.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { refusal } from '../../packages/node/test/support/unshared.ts';
import { binomialBounds } from './support/binomial.ts';
import { eventually } from './support/eventually.ts';
import { findKubectl } from './support/kubectl.ts';
import { leftovers, traces } from './support/leftovers.ts';
import { type Answer, burst, SteadyLoad } from './support/load.ts';
import { Mesh, type MeshOptions, type Result } from './support/mesh.ts';
import { must, namespacesAllowed, type Peer, SANDBOXES, seedManifests, skipUnless } from './support/peers.ts';

const kubectlPeer = findKubectl();
const manifestsPeer = seedManifests('seed-1');
const refusedHere = refusal('refused', import.meta.filename);
/** What a machine must do for the mesh to be that way: grant namespaces, or be made to refuse them. */
const WAYS: Readonly<Record<(typeof SANDBOXES)[number], { readonly options: MeshOptions; readonly peer: Peer<true> }>> =
  {
    netns: { options: {}, peer: namespacesAllowed() },
    loopback: {
      options: { refused: true },
      peer: refusedHere === undefined ? { found: true } : { missing: refusedHere },
    },
  };

/** Requests a step: enough to tell 90/10 from 85/15 with certainty. */
const REQUESTS = 2_000;
const CONNECTIONS = 4;
/** Chance that a correct mesh fails one check of a share: the exact two-sided tail of the binomial distribution. */
const FALSE_ALARM = 1e-9;
const LIVE_WITHIN_MS = 1_000;

function versionOf({ body }: Answer): string {
  return /^Service A <- Service B <- Service C \| (v\d) \| \S+ \| \d+\n$/.exec(body)?.[1] ?? `unexpected: ${body}`;
}

for (const sandbox of SANDBOXES) {
  const { options, peer } = WAYS[sandbox];
  const skip = skipUnless(peer, kubectlPeer, manifestsPeer);
  describe(`seed 1, sandbox ${sandbox}`, { skip }, () => canary(options));
}

function canary(options: MeshOptions): void {
  const mesh = new Mesh(options);
  let route = '';
  let steady: SteadyLoad | undefined;

  const kubectl = async (...args: string[]): Promise<Result> => {
    const result = await mesh.run(must(kubectlPeer), args);
    assert.equal(result.code, 0, `kubectl ${args.join(' ')}: ${result.stderr}`);
    return result;
  };
  const manifest = (path: string) => join(must(manifestsPeer), 'kubernetes', path);
  const url = () => `http://${route}/service-a`;

  /** Sends the requests of one step and checks how many of them version 1 answered. */
  const expectShare = async (t: TestContext, share: number): Promise<void> => {
    const answers = await burst(url(), REQUESTS, CONNECTIONS);
    const failed = answers.filter(({ status }) => status !== 200);
    assert.deepEqual(failed, []);
    const counts: Record<string, number> = {};
    for (const answer of answers) counts[versionOf(answer)] = (counts[versionOf(answer)] ?? 0) + 1;
    const first = counts['v1'] ?? 0;
    assert.equal(first + (counts['v2'] ?? 0), REQUESTS, JSON.stringify(counts));
    const { low, high } =
      share === 0 || share === 1
        ? { low: share * REQUESTS, high: share * REQUESTS }
        : binomialBounds(REQUESTS, share, FALSE_ALARM);
    t.diagnostic(`v1 answered ${first} of ${REQUESTS}, allowed ${low} to ${high}`);
    assert.ok(first >= low && first <= high, `v1 answered ${first} of ${REQUESTS}, not ${low} to ${high}`);
  };

  /**
   * Changes the rule with kubectl, and measures on the steady load until when requests were still sent to the version
   * that the new rule excludes.
   */
  const changeRule = async (
    t: TestContext,
    verb: 'create' | 'replace',
    file: string,
    excluded?: 'v1' | 'v2',
  ): Promise<void> => {
    await kubectl(verb, '-f', manifest(file));
    const changedAt = performance.now();
    if (excluded === undefined) return;
    const load = steady;
    assert.ok(load !== undefined);
    const before = load.answers.length;
    await eventually('two hundred more answers of the steady load', 10_000, () =>
      load.answers.length > before + 200 ? true : undefined,
    );
    const late = load.answers.slice(before).filter((answer) => versionOf(answer) === excluded);
    const liveAfter = Math.max(0, ...late.map(({ sentAt }) => sentAt - changedAt));
    t.diagnostic(`the rule was live ${Math.round(liveAfter)} ms after kubectl returned`);
    assert.ok(
      liveAfter < LIVE_WITHIN_MS,
      `${excluded} still answered a request sent ${Math.round(liveAfter)} ms after the change`,
    );
  };

  before(async () => {
    const up = await mesh.up();
    assert.equal(up.code, 0, up.stdout + up.stderr);
  });
  after(() => mesh.dispose());

  test('set-up: projects, control plane, member roll, the four deployments, all 2/2', async () => {
    await kubectl('create', 'namespace', 'servicemesh-apps');
    await kubectl('create', '-f', manifest('controlplane.yml'));
    await kubectl('create', '-f', manifest('memberroll.yml'));
    await kubectl('config', 'set-context', '--current', '--namespace=servicemesh-apps');
    for (const name of ['a', 'b', 'c-v1', 'c-v2']) await kubectl('create', '-f', manifest(`${name}-deploy.yml`));
    await eventually('all pods 2/2', 60_000, async () => {
      const { stdout } = await kubectl('get', 'pod', '--no-headers');
      const lines = stdout.trim().split('\n');
      return lines.length === 4 && lines.every((line) => /^service-\S+ +2\/2 +Running /.test(line)) ? true : undefined;
    });
  });

  test('gateway: the route has a host, and both versions answer in turn', async () => {
    await kubectl('create', '-f', manifest('gateway.yml'));
    route = (await kubectl('get', 'route', 'istio-ingressgateway', '-n', 'istio-system', '-o', 'jsonpath={.spec.host}'))
      .stdout;
    await eventually('a first 200', 10_000, async () =>
      (await burst(url(), 1, 1))[0]?.status === 200 ? true : undefined,
    );
    const curl = await mesh.run('curl', ['-s', `${route}/service-a`]);
    assert.match(curl.stdout, /^Service A <- Service B <- Service C \| v[12] \| /);
    const versions = (await burst(url(), 40, 1)).map(versionOf);
    assert.deepEqual([...new Set(versions)].sort(), ['v1', 'v2']);
    for (let i = 1; i < versions.length; i++) assert.notEqual(versions[i], versions[i - 1], versions.join(' '));
    steady = new SteadyLoad(url(), 2);
  });

  test('destination rules change nothing: still half and half', async (t) => {
    await kubectl('create', '-f', manifest('destination-rules.yml'));
    await expectShare(t, 0.5);
  });

  test('canary 1: all to version 1', async (t) => {
    await changeRule(t, 'create', 'canary/1-vs-v1.yml', 'v2');
    await expectShare(t, 1);
  });

  test('canary 2: a tenth to version 2', async (t) => {
    await changeRule(t, 'replace', 'canary/2-vs-v1_and_v2_90_10.yml');
    await eventually('the first answer of version 2', LIVE_WITHIN_MS, () =>
      steady?.answers.slice(-20).some((answer) => versionOf(answer) === 'v2') === true ? true : undefined,
    );
    await expectShare(t, 0.9);
  });

  test('canary 3: half and half', async (t) => {
    await changeRule(t, 'replace', 'canary/3-vs-v1_and_v2_50_50.yml');
    await eventually('as many of version 2 as only the new rule gives', LIVE_WITHIN_MS, () => {
      const last = steady?.answers.slice(-30) ?? [];
      return last.filter((answer) => versionOf(answer) === 'v2').length >= 12 ? true : undefined;
    });
    await expectShare(t, 0.5);
  });

  test('canary 4: all to version 2', async (t) => {
    await changeRule(t, 'replace', 'canary/4-vs-v2.yml', 'v1');
    await expectShare(t, 0);
  });

  test('the steady load through all steps saw no failure', async (t) => {
    assert.ok(steady !== undefined);
    const answers = await steady.stop();
    t.diagnostic(`${answers.length} requests`);
    assert.ok(answers.length > 1_000, `only ${answers.length} requests`);
    assert.deepEqual(
      answers.filter((answer) => answer.status !== 200 || !/^v[12]$/.test(versionOf(answer))),
      [],
    );
  });

  describe('circuit breaker', () => {
    let crashed = { pod: '', suffix: '' };
    const errorLine = (suffix: string) => `Service A <- Service B <- Error: Error 500 (Hostname: ${suffix})\n`;
    const hostOf = ({ body }: Answer): string => /\| v2 \| (\S+) \|/.exec(body)?.[1] ?? body;
    const isError = ({ body }: Answer): boolean => body === errorLine(crashed.suffix);
    const ask = async (path: string): Promise<string> => {
      const place = `/api/v1/namespaces/servicemesh-apps/pods/${crashed.pod}:8080/proxy${path}`;
      return (await kubectl('get', '--raw', place)).stdout;
    };

    test('without a subset, two pods of version 2 take turns', async () => {
      await kubectl('replace', '-f', manifest('circuit-breaker/1-vs.yml'));
      await kubectl('scale', 'deploy/service-c-v1', '--replicas', '0');
      await kubectl('scale', 'deploy/service-c-v2', '--replicas', '2');
      await kubectl('wait', '--for=jsonpath={.status.readyReplicas}=2', 'deploy/service-c-v2', '--timeout=60s');
      await kubectl('wait', '--for=delete', 'pod', '-l', 'app=service-c,version=v1', '--timeout=60s');
      const hosts = await eventually('two pods to answer', 10_000, async () => {
        const found = [...new Set((await burst(url(), 10, 1)).map(hostOf))];
        return found.length === 2 ? found : undefined;
      });
      const answers = (await burst(url(), 40, 1)).map(hostOf);
      for (let i = 1; i < answers.length; i++) assert.notEqual(answers[i], answers[i - 1], answers.join(' '));
      const pods = (await kubectl('get', 'pod', '-l', 'version=v2', '-o', 'jsonpath={.items[*].metadata.name}')).stdout;
      const pod = pods.split(' ').find((name) => name.endsWith(`-${hosts[0]}`));
      crashed = { pod: pod ?? assert.fail(`no pod of ${hosts[0]} in ${pods}`), suffix: hosts[0] ?? '' };
    });

    test('crashed, it answers every second request with an error that the chain passes on', async () => {
      assert.equal(await ask('/crash'), "Crash mode is activated. Call '/repair' to deactivate.");
      const answers = await burst(url(), 40, 1);
      assert.equal(answers.filter(({ status }) => status !== 200).length, 0);
      assert.equal(answers.filter(isError).length, 20);
    });

    test('one error opens the circuit; after ten seconds one more is let through', async (t) => {
      await kubectl('replace', '-f', manifest('circuit-breaker/2-destination-rules.yml'));
      // The rule is not live at once: errors before that open nothing.
      let openedAt = 0;
      await eventually('the error that opens it', 5_000, async () => {
        const answers = await burst(url(), 20, 1);
        const last = answers.findLast(isError);
        if (last !== undefined) openedAt = last.doneAt;
        return openedAt > 0 && last === undefined ? true : undefined;
      });
      assert.equal((await burst(url(), 100, 2)).filter(isError).length, 0);
      const closedAt = await eventually('the next error', 20_000, async () =>
        (await burst(url(), 1, 1)).some(isError) ? performance.now() : undefined,
      );
      const seconds = (closedAt - openedAt) / 1000;
      t.diagnostic(`ejected for ${seconds.toFixed(1)} s`);
      // baseEjectionTime 10s, looked at every interval of 2s.
      assert.ok(seconds >= 10 && seconds < 13, `${seconds} s`);
    });

    test('with retries all errors are gone', async () => {
      await kubectl('replace', '-f', manifest('circuit-breaker/3-vs-retry.yml'));
      const answers = await burst(url(), 300, 2);
      assert.equal(answers.filter((answer) => !/\| v2 \|/.test(answer.body)).length, 0);
    });

    test('repaired, it gets requests again', async () => {
      assert.equal(await ask('/repair'), 'Crash mode is deactivated.');
      await eventually('its answers', 60_000, async () =>
        (await burst(url(), 4, 1)).some((answer) => hostOf(answer) === crashed.suffix) ? true : undefined,
      );
    });
  });

  test('every proxy is SYNCED', async () => {
    const { stdout } = await mesh.varka('proxy-status');
    const [heading, ...rows] = stdout.trim().split('\n');
    assert.match(heading ?? '', /^NAME +CLUSTER +CDS +LDS +EDS +RDS +ISTIOD +VERSION$/);
    assert.equal(rows.length, 5);
    for (const row of rows) assert.match(row, /^\S+\.\S+ +Kubernetes +SYNCED +SYNCED +SYNCED +SYNCED +istiod /);
  });

  test('down leaves nothing', async () => {
    const running = traces(mesh);
    assert.equal((await mesh.varka('down')).code, 0);
    assert.deepEqual(leftovers(mesh, running), []);
  });
}
