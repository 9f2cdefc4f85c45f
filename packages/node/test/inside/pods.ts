// What the node agent makes of pods. Runs inside the cluster's network namespace, against an API in memory.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import { ConfigMap, Pod as PodKind, Secret } from '@varka/kube/kinds/refs.ts';
import type { ContainerStatus } from 'kubernetes-types/core/v1.d.ts';
import { createNetwork, isReady, pod, SANDBOX, startCluster } from '../support/cluster.ts';

const network = createNetwork();
const web = fileURLToPath(new URL('../programs/web.ts', import.meta.url));
const cluster = await startCluster({
  network,
  images: [
    { image: 'example/web', program: { entrypoint: [process.execPath, web], env: { FROM_IMAGE: 'yes' } } },
    { image: 'example/shell', program: { entrypoint: ['/bin/sh', '-c'] } },
    { image: 'example/broken', program: { entrypoint: ['/no/such/program'] } },
  ],
});

after(async () => {
  await cluster.stop();
  await network.close();
});

const status = (found: Pod, index = 0): ContainerStatus =>
  found.status?.containerStatuses?.[index] ?? ({ name: 'none' } as ContainerStatus);
const waitingFor = (reason: string) => (found: Pod) => status(found).state?.waiting?.reason === reason;
const isOver = (found: Pod): boolean => ['Succeeded', 'Failed'].includes(found.status?.phase ?? '');
const condition = (found: Pod, wanted: string): string | undefined =>
  found.status?.conditions?.find(({ type }) => type === wanted)?.status;

async function logs(name: string, options: Parameters<typeof cluster.node.backend.logs>[2] = {}): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  const signal = AbortSignal.timeout(5_000);
  for await (const chunk of cluster.node.backend.logs('default', name, options, signal)) text += decoder.decode(chunk);
  return text;
}

test('a pod is bound, started, found ready, and answers', async () => {
  await cluster.createPod(
    pod('web', {
      containers: [
        {
          name: 'web',
          image: 'example/web:v1',
          args: ['hello'],
          ports: [{ name: 'http', containerPort: 8080 }],
          readinessProbe: { httpGet: { path: '/ready', port: 'http' } },
        },
      ],
    }),
  );
  const ready = await cluster.pod('web', isReady);
  assert.equal(ready.spec?.nodeName, 'varka');
  assert.equal(ready.status?.phase, 'Running');
  assert.equal(ready.status?.hostIP, '10.244.0.1');
  assert.match(ready.status?.podIP ?? '', /^10\.244\.0\.\d+$/);
  assert.deepEqual(ready.status?.podIPs, [{ ip: ready.status?.podIP }]);
  assert.equal(ready.status?.qosClass, 'BestEffort');
  for (const type of ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready']) {
    assert.equal(condition(ready, type), 'True', type);
  }
  assert.match(status(ready).containerID ?? '', /^varka:\/\/[0-9a-f]{64}$/);
  assert.equal(status(ready).started, true);
  const answer = (await (await fetch(`http://${ready.status?.podIP}:8080/x`)).json()) as { name: string };
  assert.equal(answer.name, 'hello');
  const reasons = (await cluster.events('web')).map(({ reason }) => reason);
  assert.deepEqual(reasons, ['Scheduled', 'Pulled', 'Created', 'Started']);
  assert.equal(await logs('web'), 'hello listening\n');
});

test('its environment is what the spec says and nothing else', async () => {
  await cluster.kube.create(ConfigMap, {
    metadata: { name: 'settings', namespace: 'default' },
    data: { COLOUR: 'blue', SIZE: '7' },
  });
  const password = Buffer.from('s3cret').toString('base64');
  await cluster.kube.create(Secret, { metadata: { name: 'login', namespace: 'default' }, data: { password } });
  await cluster.createPod(
    pod(
      'env',
      {
        restartPolicy: 'Never',
        serviceAccountName: 'robot',
        containers: [
          {
            name: 'main',
            image: 'example/shell',
            args: ["env | sort; echo '$(GREETING) $$(GREETING) $(NOBODY)'"],
            envFrom: [{ prefix: 'CFG_', configMapRef: { name: 'settings' } }],
            env: [
              { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
              { name: 'NS', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
              { name: 'SA', valueFrom: { fieldRef: { fieldPath: 'spec.serviceAccountName' } } },
              { name: 'APP', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
              { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
              { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'password' } } },
              { name: 'MAYBE', valueFrom: { configMapKeyRef: { name: 'nowhere', key: 'x', optional: true } } },
              { name: 'GREETING', value: 'I am $(POD) in $(NS)' },
            ],
          },
        ],
      },
      { labels: { app: 'demo' } },
    ),
  );
  const over = await cluster.pod('env', isOver);
  assert.equal(over.status?.phase, 'Succeeded');
  assert.equal(status(over).state?.terminated?.reason, 'Completed');
  const lines = (await logs('env')).trim().split('\n');
  assert.equal(lines.pop(), 'I am env in default $(GREETING) $(NOBODY)');
  // What makes it a member of the loopback sandbox's network is no part of the spec.
  const own = SANDBOX === 'loopback' ? /^(PWD|NODE_OPTIONS|VARKA_.*|HOST|.*_proxy)$/i : /^PWD$/;
  const variables = lines.map((line) => line.split('=')[0] ?? '').filter((name) => !own.test(name));
  assert.deepEqual(variables, [
    'APP',
    'CFG_COLOUR',
    'CFG_SIZE',
    'GREETING',
    'HOME',
    'HOSTNAME',
    'KUBERNETES_SERVICE_HOST',
    'KUBERNETES_SERVICE_PORT',
    'NODE',
    'NS',
    'PASSWORD',
    'PATH',
    'POD',
    'SA',
    'TMPDIR',
  ]);
  for (const line of ['APP=demo', 'CFG_COLOUR=blue', 'PASSWORD=s3cret', 'SA=robot', 'NODE=varka', 'HOSTNAME=env']) {
    assert.ok(lines.includes(line), line);
  }
});

test('an unknown image says what to add where, and an annotation helps', async () => {
  await cluster.createPod(pod('unknown', { containers: [{ name: 'main', image: 'nobody/knows:v3' }] }));
  const waiting = await cluster.pod('unknown', waitingFor('ImagePullBackOff'));
  assert.equal(waiting.status?.phase, 'Pending');
  assert.match(status(waiting).state?.waiting?.message ?? '', /varka\.yaml.*nobody\/knows.*varka\.dev\/command\.main/);
  const events = await cluster.events('unknown');
  assert.ok(
    events.some(
      ({ type, reason, message }) => type === 'Warning' && reason === 'Failed' && /varka\.yaml/.test(message ?? ''),
    ),
  );
  await assert.rejects(logs('unknown'), /container "main" in pod "unknown" is waiting to start/);
  const annotations = { 'varka.dev/command': `${process.execPath} ${web} annotated` };
  await cluster.createPod(
    pod('annotated', { containers: [{ name: 'main', image: 'nobody/knows:v3' }] }, { annotations }),
  );
  await cluster.pod('annotated', isReady);
});

test('what cannot be configured waits, and goes on when it can', async () => {
  const env = [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'later', key: 'x' } } }];
  await cluster.createPod(pod('config', { containers: [{ name: 'main', image: 'example/web', env }] }));
  const waiting = await cluster.pod('config', waitingFor('CreateContainerConfigError'));
  assert.equal(status(waiting).state?.waiting?.message, 'configmap "later" not found');
  await cluster.kube.create(ConfigMap, { metadata: { name: 'later', namespace: 'default' }, data: { x: '1' } });
  await cluster.pod('config', isReady);
});

test('a container that fails is restarted, then backs off; the log of the run before is kept', async () => {
  const args = ['echo "run of $HOSTNAME"; exit 3'];
  await cluster.createPod(pod('crash', { containers: [{ name: 'main', image: 'example/shell', args }] }));
  const crashed = await cluster.pod('crash', waitingFor('CrashLoopBackOff'));
  assert.equal(crashed.status?.phase, 'Running');
  assert.equal(status(crashed).restartCount, 1);
  assert.equal(status(crashed).lastState?.terminated?.exitCode, 3);
  assert.equal(status(crashed).lastState?.terminated?.reason, 'Error');
  assert.match(
    status(crashed).state?.waiting?.message ?? '',
    /^back-off 10s restarting failed container=main pod=crash_default\(/,
  );
  assert.equal(condition(crashed, 'Ready'), 'False');
  assert.equal(await logs('crash'), 'run of crash\n');
  assert.equal(await logs('crash', { previous: true }), 'run of crash\n');
  assert.ok((await cluster.events('crash')).some(({ reason }) => reason === 'BackOff'));
});

test('a program that is not there, and one ended by a signal', async () => {
  const containers = [{ name: 'main', image: 'example/broken' }];
  await cluster.createPod(pod('absent', { restartPolicy: 'Never', containers }));
  const absent = await cluster.pod('absent', isOver);
  assert.equal(absent.status?.phase, 'Failed');
  assert.equal(status(absent).state?.terminated?.reason, 'StartError');
  assert.match(status(absent).state?.terminated?.message ?? '', /"\/no\/such\/program": no such program/);
  const args = ['kill -9 $$$$'];
  await cluster.createPod(
    pod('killed', { restartPolicy: 'Never', containers: [{ name: 'main', image: 'example/shell', args }] }),
  );
  const killed = await cluster.pod('killed', isOver);
  assert.equal(status(killed).state?.terminated?.exitCode, 137);
  assert.equal(status(killed).state?.terminated?.signal, 9);
});

test('init containers run in order before the others; one that fails stops the pod', async () => {
  const step = (name: string, script: string) => ({ name, image: 'example/shell', args: [script] });
  await cluster.createPod(
    pod('steps', {
      restartPolicy: 'Never',
      initContainers: [step('first', 'echo 1'), step('second', 'echo 2')],
      containers: [step('main', 'echo 3')],
    }),
  );
  const over = await cluster.pod('steps', isOver);
  assert.equal(over.status?.phase, 'Succeeded');
  const times = over.status?.initContainerStatuses?.map(({ state }) => state?.terminated?.reason);
  assert.deepEqual(times, ['Completed', 'Completed']);
  await cluster.createPod(
    pod('stuck', {
      restartPolicy: 'Never',
      initContainers: [step('first', 'exit 1')],
      containers: [step('main', 'echo 3')],
    }),
  );
  const stuck = await cluster.pod('stuck', isOver);
  assert.equal(stuck.status?.phase, 'Failed');
  assert.equal(status(stuck).state?.waiting?.reason, 'PodInitializing');
  assert.equal(condition(stuck, 'Initialized'), 'False');
});

test('startup and liveness probes hold back and restart; readiness takes out of service', async () => {
  await cluster.createPod(
    pod('probed', {
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          name: 'web',
          image: 'example/web',
          startupProbe: { httpGet: { path: '/late', port: 8080 }, periodSeconds: 1, failureThreshold: 10 },
          livenessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1, failureThreshold: 1 },
          readinessProbe: { exec: { command: ['true'] } },
        },
      ],
    }),
  );
  const ready = await cluster.pod('probed', isReady);
  assert.equal(status(ready).restartCount, 0);
  await fetch(`http://${ready.status?.podIP}:8080/break`);
  const again = await cluster.pod('probed', (found) => status(found).restartCount === 1 && isReady(found));
  assert.equal(again.status?.podIP, ready.status?.podIP);
  const events = await cluster.events('probed');
  const said = events.map(({ message }) => message);
  assert.ok(said.includes('Liveness probe failed: HTTP probe failed with statuscode: 503'), said.join('\n'));
  assert.ok(said.includes('Container web failed liveness probe, will be restarted'), said.join('\n'));
  assert.equal(await logs('probed', { previous: true }), 'web listening\nasked to end\n');
});

test('probes go past the capture to the application', async () => {
  await cluster.createPod(
    pod(
      'meshed',
      {
        containers: [
          { name: 'web', image: 'example/web', readinessProbe: { tcpSocket: { port: 8080 } } },
          { name: 'istio-proxy', image: 'example/shell', args: ['sleep 1000'] },
        ],
      },
      { labels: { 'security.istio.io/tlsMode': 'istio' } },
    ),
  );
  const ready = await cluster.pod('meshed', isReady);
  // Captured: there is no sidecar on 15006 to take it.
  await assert.rejects(fetch(`http://${ready.status?.podIP}:8080/`));
  // From inside, as kubectl port-forward goes.
  const socket = cluster.node.backend.connect('default', 'meshed', 8080);
  socket.write('GET /inside HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  assert.match(answer, /"url":"\/inside","from":"127\.0\.0\.1"/);
  await assert.rejects(
    logs('meshed'),
    /a container name must be specified for pod meshed, choose one of: \[web istio-proxy\]/,
  );
});

test('a pod for another kind of node waits, and says why', async () => {
  await cluster.createPod(
    pod('windows', {
      nodeSelector: { 'kubernetes.io/os': 'windows' },
      containers: [{ name: 'main', image: 'example/web' }],
    }),
  );
  const waiting = await cluster.pod('windows', (found) => condition(found, 'PodScheduled') === 'False');
  assert.equal(waiting.status?.phase, 'Pending');
  assert.equal(waiting.spec?.nodeName, undefined);
});

test('logs: the last lines, times, bytes, and those still to come', async () => {
  const args = [
    'for i in 1 2 3 4 5; do echo line $i; done; sleep 0.2; echo late; echo err >&2; printf unfinished; sleep 0.1',
  ];
  await cluster.createPod(
    pod('talker', { restartPolicy: 'Never', containers: [{ name: 'main', image: 'example/shell', args }] }),
  );
  await cluster.pod('talker', (found) => status(found).state?.running !== undefined);
  const followed = await logs('talker', { follow: true });
  assert.match(followed, /^line 1\nline 2\n(.*\n)*late\nerr\nunfinished\n$/);
  assert.equal(await logs('talker', { tailLines: 2 }), 'err\nunfinished\n');
  assert.equal(await logs('talker', { limitBytes: 6 }), 'line 1');
  assert.match(
    await logs('talker', { timestamps: true, tailLines: 1 }),
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z unfinished\n$/,
  );
  await assert.rejects(
    logs('talker', { previous: true }),
    /previous terminated container "main" in pod "talker" not found/,
  );
});

test('the node shows itself', async () => {
  const node = await cluster.kube.get<{
    status?: { conditions?: { type: string; status: string }[]; addresses?: unknown };
  }>({ group: '', version: 'v1', kind: 'Node', plural: 'nodes', namespaced: false }, 'varka');
  assert.equal(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  assert.deepEqual(node.status?.addresses, [
    { type: 'InternalIP', address: '10.244.0.1' },
    { type: 'Hostname', address: 'varka' },
  ]);
});

test('a burst of pods: each gets its own place', async () => {
  const names = Array.from({ length: 10 }, (_, index) => `burst-${index}`);
  const args = ['sleep 1000'];
  await Promise.all(
    names.map((name) => cluster.createPod(pod(name, { containers: [{ name: 'main', image: 'example/shell', args }] }))),
  );
  const ready = await Promise.all(names.map((name) => cluster.pod(name, isReady)));
  assert.equal(new Set(ready.map((found) => found.status?.podIP)).size, names.length);
  await Promise.all(names.map((name) => cluster.kube.delete(PodKind, name, 'default', { gracePeriodSeconds: 1 })));
  await Promise.all(names.map((name) => cluster.gone(name)));
});
