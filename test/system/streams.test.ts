// What connects kubectl to the inside of a pod, in a real mesh.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from './support/eventually.ts';
import { findKubectl } from './support/kubectl.ts';
import { leftovers, traces } from './support/leftovers.ts';
import { Mesh, type Result } from './support/mesh.ts';
import { must, ROOT, SANDBOXES, skipSandbox, skipUnless } from './support/peers.ts';
import { startServiceProxy } from './support/service-proxy.ts';
import { TerminalSession } from './support/terminal-session.ts';

const kubectlPeer = findKubectl();
const NAMESPACE = 'servicemesh-apps';

for (const sandbox of SANDBOXES) {
  const skip = skipSandbox(sandbox) || skipUnless(kubectlPeer);
  describe(`kubectl inside the pods of a mesh, in ${sandbox}`, { skip }, () => {
    const mesh = new Mesh();

    before(async () => {
      const up = await mesh.up('-f', 'demos/chain', '--sandbox', sandbox);
      assert.equal(up.code, 0, up.stdout + up.stderr);
    });
    after(() => mesh.dispose());
    const kubectl = (...args: string[]): Promise<Result> => mesh.run(must(kubectlPeer), ['-n', NAMESPACE, ...args]);
    const podOf = async (app: string): Promise<string> => {
      const { stdout } = await kubectl('get', 'pods', '-l', `app=${app}`, '-o', 'jsonpath={.items[0].metadata.name}');
      return stdout;
    };

    test('proxy', async () => {
      const proxy = await startServiceProxy(mesh, must(kubectlPeer));
      const answer = await proxy.fetch(NAMESPACE, 'service-c', 8080, '/');
      assert.equal(answer.status, 200);
      assert.match(await answer.text(), /^Service C \| v[12] \|/);
      const none = await proxy.fetch(NAMESPACE, 'service-c', 1, '/');
      assert.equal(none.status, 503);
      await proxy.stop();
    });

    test('exec: output, exit code, input, and a container of several', async () => {
      const pod = await podOf('service-b');
      const plain = await kubectl(
        'exec',
        pod,
        '-c',
        'service-b',
        '--',
        'sh',
        '-c',
        'echo "$PORT"; echo "$HOSTNAME"; exit 4',
      );
      assert.deepEqual([plain.code, plain.stdout], [4, `8080\n${pod}\n`]);
      assert.match(plain.stderr, /command terminated with exit code 4/);
      const piped = await mesh.run(
        must(kubectlPeer),
        ['exec', '-i', '-n', NAMESPACE, pod, '--', 'wc', '-c'],
        'x'.repeat(1e6),
      );
      assert.equal(piped.stdout.trim(), '1000000');
      const proxy = await kubectl('exec', pod, '-c', 'istio-proxy', '--', 'sh', '-c', 'echo "$POD_NAME"');
      assert.equal(proxy.stdout, `${pod}\n`);
    });

    test('exec -it: a shell on a terminal', async () => {
      const shell = new TerminalSession(mesh, must(kubectlPeer), [
        'exec',
        '-it',
        '-n',
        NAMESPACE,
        await podOf('service-b'),
        '--',
        'sh',
      ]);
      await shell.until(/[$#] $/);
      shell.type('stty size; echo $((6*7))\n');
      await shell.until(/30 100\r\n42\r\n/);
      shell.resize({ columns: 90, rows: 20 });
      shell.type('trap "stty size" WINCH; stty size; sh -c \'echo "sleep$((1+1))"; exec sleep 1000\'\n');
      await shell.until(/sleep2/);
      shell.type('\u0003');
      await shell.until(/[$#] $/);
      shell.type('stty size\n');
      await shell.until(/20 90\r\n/);
      shell.type('exit 5\n');
      assert.equal(await shell.code, 5);
    });

    test('cp: a file there and back', async () => {
      const pod = await podOf('service-b');
      const [there, back] = [join(mesh.home, 'there'), join(mesh.home, 'back')];
      const copied = await kubectl('cp', join(ROOT, 'README.md'), `${pod}:${there}`, '-c', 'service-b');
      assert.equal(copied.code, 0, copied.stderr);
      assert.equal((await kubectl('cp', `${pod}:${there}`, back)).code, 0);
      assert.equal(readFileSync(back, 'utf8'), readFileSync(join(ROOT, 'README.md'), 'utf8'));
    });

    for (const target of ['pod', 'deploy/service-a', 'svc/service-a']) {
      test(`port-forward to ${target}`, async () => {
        const to = target === 'pod' ? `pod/${await podOf('service-a')}` : target;
        const child = mesh.start(must(kubectlPeer), ['port-forward', '-n', NAMESPACE, to, ':8080']);
        let output = '';
        for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
        const address = await eventually('a forwarded port', 10_000, () => /127\.0\.0\.1:\d+/.exec(output)?.[0]);
        const answers = await Promise.all([1, 2, 3, 4].map(() => fetch(`http://${address}/`)));
        for (const answer of answers) assert.match(await answer.text(), /^Service A <- Service B <- Service C /);
        child.kill();
        await once(child, 'close');
      });
    }

    test('top: pods, their containers, and the node', async () => {
      const { pods } = await mesh.status();
      const lines = await eventually('all pods are measured', 20_000, async () => {
        const { code, stdout } = await kubectl('top', 'pods', '--no-headers', '-A', '--sort-by=memory');
        const found = stdout.trim().split('\n');
        return code === 0 && found.length === pods.length ? found : undefined;
      });
      for (const line of lines) assert.match(line, /^\S+ +\S+ +\d+m +[1-9]\d*Mi *$/);
      const { stdout } = await kubectl('top', 'pods', '-l', 'app=service-a', '--containers', '--no-headers');
      assert.deepEqual(
        stdout
          .trim()
          .split('\n')
          .map((line) => line.split(/ +/)[1])
          .sort(),
        ['istio-proxy', 'service-a'],
      );
      assert.match((await kubectl('top', 'nodes', '--no-headers')).stdout, /^varka +\d+m +\d+% +\d+Mi +\d+% *$/m);
    });

    test('logs: by name, by owner, by label, of the run before, as they come', async () => {
      const out = async (...args: string[]): Promise<string> => {
        const { code, stdout, stderr } = await kubectl('logs', ...args);
        assert.equal(code, 0, `kubectl logs ${args.join(' ')}: ${stderr}`);
        return stdout;
      };
      const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');
      const pod = await podOf('service-c');
      // It has answered the earlier tests; its own log says so, and its proxy's access log.
      assert.ok(lines(await out(pod, '-c', 'istio-proxy')).length > 1);
      assert.deepEqual(
        await out('deploy/service-a', '--tail=1', '-c', 'service-a'),
        await out(await podOf('service-a'), '-c', 'service-a', '--tail=1'),
      );
      assert.equal(lines(await out(pod, '-c', 'istio-proxy', '--tail=1')).length, 1);
      assert.equal(lines(await out(pod, '-c', 'istio-proxy', '--since=1h', '--tail=2')).length, 2);
      assert.equal(await out(pod, '-c', 'istio-proxy', '--since-time=2999-01-01T00:00:00Z'), '');
      assert.match(await out(pod, '-c', 'istio-proxy', '--timestamps', '--tail=1'), /^\d{4}-\d\d-\d\dT[\d:.]+Z /);
      const prefixed = lines(await out('-l', 'app=service-c', '--all-containers', '--prefix', '--tail=1'));
      const sources = prefixed.map((line) => /^\[pod\/service-c-v[12]-\S+\/(\S+)\] /.exec(line)?.[1]);
      assert.deepEqual(new Set(sources), new Set(['service-c', 'istio-proxy']));
      // With a selector kubectl asks for the last ten of each.
      const script =
        'for i in $(seq 30); do echo line $i; done; [ -e "$HOME/again" ] && exec sleep 1000; touch "$HOME/again"; exit 3';
      await kubectl(
        'run',
        'counter',
        '--image=busybox',
        '-l',
        'app=counter',
        '--annotations',
        `varka.dev/command=sh -c '${script}'`,
      );
      await eventually('a second run', 30_000, async () => {
        const { stdout } = await kubectl('logs', 'counter', '--previous', '--tail=1');
        return stdout === 'line 30\n' ? true : undefined;
      });
      assert.equal(lines(await out('-l', 'app=counter')).length, 10);
      assert.equal(lines(await out('counter')).length, 30);
      const follow = mesh.start(must(kubectlPeer), [
        'logs',
        '-n',
        NAMESPACE,
        '-f',
        pod,
        '-c',
        'istio-proxy',
        '--tail=0',
      ]);
      let followed = '';
      follow.stdout?.on('data', (chunk) => (followed += chunk));
      await eventually('a followed line', 20_000, async () => {
        await fetch(`${(await mesh.status()).gateway.http}/service-a`);
        return /GET/.test(followed) ? true : undefined;
      });
      follow.kill();
      await once(follow, 'close');
    });

    test('run -it --rm: a pod for one command', async () => {
      const shell = new TerminalSession(mesh, must(kubectlPeer), [
        ...['run', '-it', '--rm', 'once', '--image=busybox', '--restart=Never', '-n', 'default'],
        ...['--overrides', JSON.stringify({ metadata: { annotations: { 'varka.dev/command': 'sh' } } })],
      ]);
      // The prompt was printed before kubectl came; it says so itself.
      await shell.until(/try pressing enter/);
      shell.type('\n');
      await shell.until(/[$#] $/);
      shell.type('echo "at$((40+2))"; tty\n');
      await shell.until(/at42\r\n\/dev\/pts\/\d+\r\n/);
      shell.type('exit\n');
      assert.equal(await shell.code, 0);
      await shell.until(/pod "once" deleted/);
    });

    test('nothing is left of it all', async () => {
      const running = traces(mesh);
      const down = await mesh.varka('down');
      assert.equal(down.code, 0, down.stderr);
      assert.deepEqual(leftovers(mesh, running), []);
    });
  });
}
