// Ways in from the host: node ports and load balancers, from this machine and from pods, as root and as an ordinary user.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { eventually } from './support/eventually.ts';
import { findKubectl } from './support/kubectl.ts';
import { Mesh } from './support/mesh.ts';
import { must, ordinaryUser, skipSandbox, skipUnless } from './support/peers.ts';

const kubectlPeer = findKubectl();
const NAMESPACE = 'servicemesh-apps';
const CHAIN = /^Service A <- Service B <- Service C \| v\d \| \S+ \| \d+\n$/;
const PATIENCE_MS = 10_000;

async function textOf(url: string): Promise<string> {
  const response = await fetch(url);
  assert.equal(response.status, 200, url);
  return response.text();
}

const refused = (url: string) =>
  eventually(`${url} is refused`, PATIENCE_MS, async () => {
    try {
      await fetch(url);
      return undefined;
    } catch {
      return true;
    }
  });

function listens(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    server.removeAllListeners('error').once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
}

for (const [mode, sandbox] of [
  ['root', 'netns'],
  ['user', 'netns'],
  ['user', 'loopback'],
] as const) {
  const userPeer = mode === 'user' ? ordinaryUser() : undefined;
  const skip = skipSandbox(sandbox) || skipUnless(kubectlPeer, ...(userPeer === undefined ? [] : [userPeer]));
  describe(`services from the host, as ${mode}, pods in ${sandbox}`, { skip }, () => {
    const mesh = new Mesh(userPeer === undefined ? {} : { user: must(userPeer) });

    const kubectl = async (args: readonly string[], input?: string): Promise<string> => {
      const result = await mesh.run(must(kubectlPeer), args, input);
      assert.equal(result.code, 0, `kubectl ${args.join(' ')}: ${result.stderr}`);
      return result.stdout;
    };
    const apply = (object: object) => kubectl(['apply', '-f', '-'], JSON.stringify(object));
    const serviceA = (name: string, spec: object) =>
      apply({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: NAMESPACE },
        spec: { selector: { app: 'service-a' }, ...spec },
      });
    const field = (name: string, path: string, namespace = NAMESPACE) =>
      kubectl(['get', 'service', name, '-n', namespace, '-o', `jsonpath=${path}`]);
    const externalAddress = (name: string) =>
      eventually(`${name} has an address`, PATIENCE_MS, async () => {
        const address = await field(name, '{.status.loadBalancer.ingress[0].ip}');
        return address === '' ? undefined : address;
      });

    before(async () => {
      const { code, stderr } = await mesh.up('-f', 'demos/chain', '--sandbox', sandbox);
      assert.equal(code, 0, stderr);
    });
    after(() => mesh.dispose());

    test('the ingress gateway, by the address and the port that its Service tells', async () => {
      const ip = await field('istio-ingressgateway', '{.status.loadBalancer.ingress[0].ip}', 'istio-system');
      const port = await field('istio-ingressgateway', '{.spec.ports[?(@.name=="http2")].port}', 'istio-system');
      assert.match(ip, /^127\.77\.\d+\.1$/);
      assert.match(await textOf(`http://${ip}:${port}/service-a`), CHAIN);
    });

    test('a load balancer: an address for this machine and for pods, gone when it is none any more', async () => {
      await serviceA('balanced', { type: 'LoadBalancer', ports: [{ name: 'http', port: 8088, targetPort: 8080 }] });
      const ip = await externalAddress('balanced');
      assert.match(await textOf(`http://${ip}:8088/`), CHAIN);
      const columns = (await kubectl(['get', 'service', 'balanced', '-n', NAMESPACE, '--no-headers'])).split(/\s+/);
      const nodePort = await field('balanced', '{.spec.ports[0].nodePort}');
      assert.deepEqual([columns[1], columns[3], columns[4]], ['LoadBalancer', ip, `8088:${nodePort}/TCP`]);
      assert.match(await textOf(`http://127.0.0.1:${nodePort}/`), CHAIN);

      // service-b asks service-a by that address, through its sidecar.
      const env = [{ name: 'SERVICE_C_HOST', value: `${ip}:8088` }];
      const container = { name: 'app', image: 'varka/demo-chain/service-b', env };
      await apply({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'asking', namespace: NAMESPACE },
        spec: {
          selector: { matchLabels: { app: 'asking' } },
          template: {
            metadata: { labels: { app: 'asking' }, annotations: { 'sidecar.istio.io/inject': 'true' } },
            spec: { containers: [container] },
          },
        },
      });
      await apply({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'asking', namespace: NAMESPACE },
        spec: { type: 'NodePort', selector: { app: 'asking' }, ports: [{ port: 8080 }] },
      });
      await kubectl(['rollout', 'status', 'deployment/asking', '-n', NAMESPACE, '--timeout=60s']);
      const asking = await field('asking', '{.spec.ports[0].nodePort}');
      assert.match(await textOf(`http://127.0.0.1:${asking}/`), /^Service B <- Service A <- Service B <- Service C/);

      await kubectl(['patch', 'service', 'balanced', '-n', NAMESPACE, '-p', '{"spec":{"type":"ClusterIP"}}']);
      await refused(`http://${ip}:8088/`);
      await refused(`http://127.0.0.1:${nodePort}/`);
      assert.equal(await field('balanced', '{.status.loadBalancer.ingress}'), '');
    });

    test('a node port that another program has: told, and the others work', async (t) => {
      const taken = createServer();
      t.after(() => void taken.close());
      // Of those that Kubernetes gives to nobody who does not ask.
      let port = 30_000;
      for (; !(await listens(taken, port)); port++) assert.ok(port < 30_085, 'every node port is taken');
      await serviceA('half', {
        type: 'NodePort',
        ports: [
          { name: 'taken', port: 8080, nodePort: port },
          { name: 'free', port: 8081, targetPort: 8080 },
        ],
      });
      const free = await field('half', '{.spec.ports[1].nodePort}');
      await eventually('the event', PATIENCE_MS, async () => {
        const events = await kubectl(['get', 'events', '-n', NAMESPACE]);
        return (
          /Warning\s+PortNotPublished\s+service\/half\s+NodePort 127\.0\.0\.1:\d+: another program/.test(events) ||
          undefined
        );
      });
      assert.match(await textOf(`http://127.0.0.1:${free}/`), CHAIN);
      const { stdout } = await mesh.varka('status');
      assert.match(stdout, new RegExp(`half +taken +NodePort +127\\.0\\.0\\.1:${port} \\(not there: another program`));
    });

    test('nothing listens there once it has stopped', async () => {
      const ip = await field('istio-ingressgateway', '{.status.loadBalancer.ingress[0].ip}', 'istio-system');
      assert.equal((await mesh.varka('down')).code, 0);
      await refused(`http://${ip}:15021/healthz/ready`);
    });
  });
}
