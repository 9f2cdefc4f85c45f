// What lines of `oc` mean to kubectl, and how they are carried out with one.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createRoute, translate } from '../src/oc/translate.ts';

const words = (line: string) => line.split(' ');

describe('a line of oc', () => {
  test('is kubectl’s as it stands, unless kubectl has nothing like it', () => {
    for (const line of [
      'get route istio-ingressgateway -n istio-system -o jsonpath={.spec.host}',
      'create -f gateway.yml',
      'replace -f canary/2.yml',
      'scale deploy/service-c-v1 --replicas 0',
      'port-forward pod/service-c-v1-x 8080:8080',
      '-n dev create configmap project',
      '--help',
    ])
      assert.deepEqual(translate(words(line)), { kind: 'kubectl', args: words(line) });
  });

  test('makes and changes projects', () => {
    assert.deepEqual(translate(words('--context mine new-project shop --display-name Shop')), {
      kind: 'new-project',
      name: 'shop',
      global: ['--context', 'mine'],
    });
    assert.deepEqual(translate(['project']), { kind: 'project', name: undefined, global: [] });
    assert.deepEqual(translate(words('project shop')), { kind: 'project', name: 'shop', global: [] });
    for (const wrong of ['new-project', 'new-project a b', 'new-project a --nope', 'project a b'])
      assert.equal(translate(words(wrong)).kind, 'wrong', wrong);
  });

  test('makes routes', () => {
    const plan = translate(
      words('-n dev create route edge hook --service el-github-listener --port http --path /in -o name'),
    );
    assert.ok(plan.kind === 'create-route');
    assert.deepEqual(plan.args, ['-n', 'dev', 'create', '-f', '-', '--output=name']);
    assert.deepEqual(plan.route, {
      apiVersion: 'route.openshift.io/v1',
      kind: 'Route',
      metadata: { name: 'hook' },
      spec: {
        path: '/in',
        to: { kind: 'Service', name: 'el-github-listener' },
        port: { targetPort: 'http' },
        tls: { termination: 'edge' },
      },
    });
    const plugin = createRoute(words('edge --service=web --port=8080 --hostname=web.example.com -n dev'), []);
    assert.ok(plugin.kind === 'create-route');
    assert.deepEqual(plugin.args, ['create', '-f', '-', '--namespace=dev']);
    assert.match(JSON.stringify(plugin.route), /"name":"web"\}.*"host":"web.example.com".*"targetPort":8080/);
    for (const wrong of ['edge', 'edge name', 'sideways name --service a', 'edge name --service a --nope'])
      assert.equal(createRoute(words(wrong), []).kind, 'wrong', wrong);
  });
});

describe('the oc command', () => {
  const oc = fileURLToPath(new URL('../bin/oc.mjs', import.meta.url));

  function kubectlThat(t: { after(hook: () => void): void }, script: string): { path: string; log: string } {
    const directory = mkdtempSync(join(tmpdir(), 'varka-oc-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const [path, log] = [join(directory, 'kubectl'), join(directory, 'log')];
    writeFileSync(path, `#!/bin/sh\necho "$@" >> ${log}\n${script}\n`);
    chmodSync(path, 0o755);
    return { path, log };
  }

  const run = (kubectl: string, line: string): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const env = { ...process.env, KUBECTL: kubectl };
      execFile(process.execPath, [oc, ...words(line)], { env }, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
      });
    });

  test('gives kubectl the line, its output and its exit code', async (t) => {
    const { path, log } = kubectlThat(t, 'echo out; echo err >&2; exit 3');
    assert.deepEqual(await run(path, 'get pods -w'), { code: 3, stdout: 'out\n', stderr: 'err\n' });
    assert.equal(readFileSync(log, 'utf8'), 'get pods -w\n');
  });

  test('a new project is a namespace that is then in use; the mesh’s own is there already', async (t) => {
    const taken = 'echo "Error from server (AlreadyExists): namespaces already exists" >&2; exit 1';
    const script = `case "$*" in *view*) echo https://127.0.0.1:6443;; "create namespace new") ;; create*) ${taken};; esac`;
    const { path, log } = kubectlThat(t, script);
    const used = (name: string) => `Now using project "${name}" on server "https://127.0.0.1:6443".\n`;
    assert.deepEqual(await run(path, 'new-project new'), { code: 0, stdout: used('new'), stderr: '' });
    assert.match(readFileSync(log, 'utf8'), /^create namespace new\nconfig set-context --current --namespace new\n/);
    assert.equal((await run(path, 'new-project istio-system')).stdout, used('istio-system'));
    const again = await run(path, 'new-project old');
    assert.deepEqual([again.code, again.stdout], [1, '']);
    assert.match(again.stderr, /AlreadyExists/);
  });

  test('says so when there is no kubectl', async () => {
    const { code, stderr } = await run('/nowhere/kubectl', 'get pods');
    assert.equal(code, 1);
    assert.match(stderr, /no kubectl in PATH/);
  });
});
