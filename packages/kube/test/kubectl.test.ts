import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { writeKubeconfig } from '../src/credentials/kubeconfig-file.ts';
import { type ApiFixture, startApi } from './support/api-fixture.ts';
import { localPods } from './support/local-pods.ts';

/** The environment's KUBECTL, else the first on the PATH. */
function findKubectl(): string | undefined {
  const candidates = [
    process.env['KUBECTL'],
    ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'kubectl')),
  ];
  return candidates.find((path): path is string => {
    if (path === undefined || path === '') return false;
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error) return false;
      throw error;
    }
  });
}

const KUBECTL = findKubectl();

const APP = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, labels: {app: shop}}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop, version: v1}, annotations: {sidecar.istio.io/inject: "true"}}
    spec:
      containers:
      - name: shop
        image: example.com/shop:1.0
        env: [{name: PORT, value: "8080"}]
        ports: [{containerPort: 8080, name: http}]
        readinessProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 5}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  ports: [{name: http, port: 8080}]
  selector: {app: shop}
`;

const RULE = `
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata: {name: shop}
spec: {host: shop, colour: red}
`;

const CRON_JOB = `
apiVersion: batch/v1
kind: CronJob
metadata: {name: full}
spec:
  schedule: "0 0 1 1 *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          volumes:
          - {name: e, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
          - {name: c, configMap: {name: cm, items: [{key: a, path: b}]}}
          - {name: s, secret: {secretName: s, defaultMode: 256}}
          - {name: p, persistentVolumeClaim: {claimName: p}}
          containers:
          - name: c
            image: x
            env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: B, valueFrom: {configMapKeyRef: {name: c, key: k, optional: true}}}]
            envFrom: [{secretRef: {name: s}}]
            volumeMounts: [{name: e, mountPath: /e}, {name: c, mountPath: /c, subPath: b, readOnly: true}]
            livenessProbe: {httpGet: {path: /x, port: http}, periodSeconds: 3}
            readinessProbe: {tcpSocket: {port: 80}}
            securityContext: {runAsNonRoot: true, capabilities: {drop: [ALL]}}
            ports: [{name: http, containerPort: 80}]
`;

const route = (weights: readonly number[]) => `
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http:
  - route:
${weights.map((weight, index) => `    - {destination: {host: shop, subset: v${index + 1}}, weight: ${weight}}`).join('\n')}
`;

describe('kubectl', { skip: KUBECTL === undefined ? 'no kubectl: set KUBECTL or put one on the PATH' : false }, () => {
  let api: ApiFixture;
  let environment: NodeJS.ProcessEnv = {};

  before(async () => {
    api = await startApi({ podBackend: localPods() });
    const path = join(api.folder, 'kubeconfig');
    await writeKubeconfig(path, {
      server: `https://127.0.0.1:${api.port}`,
      name: 'test',
      credentials: api.credentials,
      namespace: 'apps',
    });
    environment = { ...process.env, KUBECONFIG: path, HOME: api.folder };
  });
  after(() => api.close());

  const run = (args: readonly string[], input = '') =>
    new Promise<{ code: number; out: string; err: string }>((resolve) => {
      const child = execFile(KUBECTL ?? 'kubectl', args, { env: environment, timeout: 20_000 }, (error, out, err) => {
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err });
      });
      child.stdin?.end(input);
    });
  const kubectl = async (command: string, input = ''): Promise<string> => {
    const { code, out, err } = await run(command.split(' '), input);
    assert.equal(code, 0, `kubectl ${command}: ${err}`);
    return out;
  };
  const fails = async (command: string, input = ''): Promise<string> => {
    const { code, err } = await run(command.split(' '), input);
    assert.notEqual(code, 0, `kubectl ${command} should have failed`);
    return err;
  };
  /** A table's lines, each cut at runs of spaces. */
  const cells = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s{2,}/));

  test('creates a namespace and applies an application, and again without a change', async () => {
    assert.equal(await kubectl('create namespace apps'), 'namespace/apps created\n');
    assert.equal(await kubectl('apply -f -', APP), 'deployment.apps/shop created\nservice/shop created\n');
    assert.equal(await kubectl('apply -f -', APP), 'deployment.apps/shop unchanged\nservice/shop unchanged\n');
    const [titles = [], line = []] = cells(await kubectl('get deploy'));
    assert.deepEqual(titles, ['NAME', 'READY', 'UP-TO-DATE', 'AVAILABLE', 'AGE']);
    assert.deepEqual(line.slice(0, 4), ['shop', '0/1', '0', '0']);
    assert.match(await kubectl('get svc shop -o jsonpath={.spec.clusterIP}'), /^10\.96\./);
    assert.match(await kubectl('get all -o wide'), /deployment\.apps\/shop .*example\.com\/shop:1\.0 +app=shop/);
  });

  test('applies one route after the other', async () => {
    for (const weights of [[100], [90, 10], [50, 50], [0, 100]]) {
      await kubectl('apply -f -', route(weights));
      const shown = await kubectl('get vs shop -o jsonpath={.spec.http[0].route[*].weight}');
      assert.equal(shown, weights.join(' '));
    }
    assert.deepEqual(cells(await kubectl('get virtualservices'))[0], ['NAME', 'GATEWAYS', 'HOSTS', 'AGE']);
  });

  test("warns of a field that Istio's kind does not have, and refuses one that Kubernetes' does not", async () => {
    const { code, err } = await run(['apply', '-f', '-'], RULE);
    assert.deepEqual([code, err.includes('Warning: unknown field "spec.colour"')], [0, true]);
    assert.match(
      await fails('apply -f -', APP.replace('kind: Deployment', 'kind: Deployment\nfoo: 1')),
      /strict decoding error: unknown field "foo"/,
    );
    assert.match(
      await fails('apply -f -', 'apiVersion: unheard.io/v1\nkind: Unheard\nmetadata: {name: a}\n'),
      /no matches for kind "Unheard" in version "unheard.io\/v1"/,
    );
    assert.match(await fails('apply -f -', route([50]).replace('50', 'half')), /spec\.http\[0\]\.route\[0\]\.weight/);
  });

  test('labels, annotates, scales, patches, sets, replaces', async () => {
    await kubectl('label namespace apps istio-injection=enabled');
    assert.match(await kubectl('get ns apps --show-labels'), /istio-injection=enabled/);
    await kubectl('label namespace apps istio-injection-');
    await kubectl('annotate deploy shop note=yes');
    await kubectl('scale deploy shop --replicas=3');
    assert.match(await kubectl('get deploy shop'), /0\/3/);
    await kubectl('set image deploy/shop shop=example.com/shop:2.0');
    assert.match(await kubectl('get deploy shop -o yaml'), /image: example\.com\/shop:2\.0/);
    await run(['patch', 'deploy', 'shop', '--type=json', '-p', '[{"op":"replace","path":"/spec/replicas","value":2}]']);
    assert.equal(await kubectl('get deploy shop -o jsonpath={.spec.replicas}'), '2');
    await kubectl('replace -f -', route([100]));
    assert.match(
      await fails('create -f -', route([100])),
      /virtualservices\.networking\.istio\.io "shop" already exists/,
    );
  });

  test('creates small objects by itself', async () => {
    await kubectl('create configmap settings --from-literal=a=b');
    assert.equal(await kubectl('get cm settings -o jsonpath={.data.a}'), 'b');
    await kubectl('create secret generic token --from-literal=a=b');
    assert.equal(await kubectl('get secret token -o jsonpath={.data.a}'), 'Yg==');
    await kubectl('create serviceaccount robot');
    await kubectl('create deployment quick --image=example.com/quick --replicas=0 --port=80');
    assert.equal(await kubectl('get deploy quick -o jsonpath={.spec.replicas}'), '0');
    await kubectl('create service nodeport quick --tcp=80:8080');
    assert.equal(await kubectl('get svc quick -o jsonpath={.spec.ports[0].targetPort}'), '8080');
  });

  test('a job made from a cron job has all of its template, which kubectl sends as protobuf', async () => {
    await kubectl('apply -f -', CRON_JOB);
    await kubectl('create job full --from=cronjob/full');
    const specOf = async (what: string, path: string) =>
      JSON.parse(await kubectl(`get ${what} full -o jsonpath={${path}}`)) as unknown;
    assert.deepEqual(
      await specOf('job', '.spec.template.spec'),
      await specOf('cronjob', '.spec.jobTemplate.spec.template.spec'),
    );
  });

  test('runs a pod, reads its log, describes and deletes it', async () => {
    await kubectl('run probe --image=example.com/probe');
    assert.deepEqual(cells(await kubectl('get pods -o wide'))[0], [
      'NAME',
      'READY',
      'STATUS',
      'RESTARTS',
      'AGE',
      'IP',
      'NODE',
      'NOMINATED NODE',
      'READINESS GATES',
    ]);
    assert.equal(await kubectl('get pods -l run=probe --field-selector status.phase=Pending -o name'), 'pod/probe\n');
    assert.equal(await kubectl('logs probe'), 'hello from probe/probe\n');
    assert.match(await kubectl('describe pod probe'), /Status: +Pending/);
    assert.match(await kubectl('delete pod probe'), /pod "probe" deleted/);
  });

  test('explains and lists kinds', async () => {
    assert.match(await kubectl('explain virtualservice.spec.http.route'), /destination\s+<Object> -required-/);
    assert.match(await kubectl('explain deployment.spec.template.spec.containers.ports'), /containerPort/);
    assert.match(
      await kubectl('api-resources'),
      /virtualservices +vs +networking\.istio\.io\/v1 +true +VirtualService/,
    );
  });

  test('gets and describes every kind there is', async () => {
    const kinds = (await kubectl('api-resources --verbs=list -o name')).trim().split('\n');
    assert.ok(kinds.length > 60, `${kinds.length} kinds`);
    await kubectl(`get ${kinds.join(',')} -A -o wide`);
    await kubectl(`describe ${kinds.join(',')} -A`);
  });

  test('watches', async () => {
    const child = execFile(KUBECTL ?? 'kubectl', ['get', 'configmaps', '--watch-only', '-o', 'name'], {
      env: environment,
    });
    const seen = new Promise<string>((resolve) => child.stdout?.once('data', (chunk) => resolve(String(chunk))));
    // kubectl does not say when it is watching: so there is news until it has seen some.
    let settled = false;
    const first = seen.then((text) => {
      settled = true;
      return text;
    });
    for (let n = 0; n < 100 && !settled; n++) {
      await api.call('PATCH', '/api/v1/namespaces/apps/configmaps/settings', {
        body: { data: { n: `${n}` } },
        type: 'application/merge-patch+json',
      });
      await Promise.race([first, new Promise((resolve) => setTimeout(resolve, 50))]);
    }
    assert.match(await first, /^configmap\/settings/);
    child.kill();
  });

  test('deletes by file, by kind, and waits for it', async () => {
    const file = join(api.folder, 'app.yaml');
    await writeFile(file, APP);
    await kubectl(`delete -f ${file}`);
    assert.match(await fails('get deploy shop'), /deployments\.apps "shop" not found/);
    await kubectl('delete virtualservice --all');
    assert.equal(await kubectl('get vs -o name'), '');
  });
});
