// How pods end, and how they go on after the supervisor did. Runs inside the cluster's network namespace.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import { Pod as PodKind } from '@varka/kube/kinds/refs.ts';
import { createNetwork, isReady, pod, countProcesses as processes, startCluster } from '../support/cluster.ts';

const network = createNetwork();
const web = fileURLToPath(new URL('../programs/web.ts', import.meta.url));
const images = [
  { image: 'example/web', program: { entrypoint: [process.execPath, web] } },
  { image: 'example/shell', program: { entrypoint: ['/bin/sh', '-c'] } },
];
const shell = (name: string, script: string) => ({ name, image: 'example/shell', args: [script] });
/** Is ready once it no longer ends by SIGTERM. */
const stubborn = () => ({
  ...shell('main', 'trap "" TERM; touch "$HOME/deaf"; while :; do sleep 0.1; done'),
  readinessProbe: { exec: { command: ['sh', '-c', 'test -e "$HOME/deaf"'] } },
});
let cluster = await startCluster({ network, images });
const first = cluster;

after(async () => {
  await cluster.stop();
  await network.close();
});

/** What is killed is gone a moment after the pod is over, not before. */
async function backTo(before: number): Promise<void> {
  for (let tries = 0; processes() !== before && tries < 100; tries++) await delay(20);
  assert.equal(processes(), before);
}

/** Deletes it; answers how it looked when it was last seen, and how long it took. */
async function remove(name: string, gracePeriodSeconds?: number): Promise<{ last: Pod; tookMs: number }> {
  const before = Date.now();
  const options = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds };
  const ended = cluster.pod(name, ({ status }) => status?.phase === 'Succeeded' || status?.phase === 'Failed');
  await cluster.kube.delete(PodKind, name, 'default', options);
  const last = await ended;
  await cluster.gone(name);
  return { last, tookMs: Date.now() - before };
}

test('SIGTERM ends a willing pod at once, and everything of it goes', async () => {
  const before = processes();
  await cluster.createPod(
    pod('willing', {
      containers: [{ name: 'web', image: 'example/web', readinessProbe: { tcpSocket: { port: 8080 } } }],
    }),
  );
  await cluster.pod('willing', isReady);
  const { last, tookMs } = await remove('willing');
  assert.equal(last.status?.phase, 'Succeeded');
  assert.equal(last.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 0);
  assert.ok(tookMs < 3_000, `${tookMs} ms`);
  await backTo(before);
  assert.deepEqual(readdirSync(join(cluster.stateDir, 'pods')), []);
  assert.ok(
    (await cluster.events('willing')).some(
      ({ reason, message }) => reason === 'Killing' && message === 'Stopping container web',
    ),
  );
});

test('SIGKILL ends an unwilling one when its grace is over', async () => {
  await cluster.createPod(pod('stubborn', { containers: [stubborn()] }));
  await cluster.pod('stubborn', isReady);
  const { last, tookMs } = await remove('stubborn', 1);
  assert.equal(last.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 137);
  assert.ok(tookMs >= 900, `${tookMs} ms`);
});

test('a preStop hook comes first, within the same grace', async () => {
  const marker = join(cluster.stateDir, 'stopped');
  const lifecycle = { preStop: { exec: { command: ['sh', '-c', `echo "$POD" > ${marker}`] } } };
  const env = [{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }];
  await cluster.createPod(pod('polite', { containers: [{ ...shell('main', 'sleep 1000'), lifecycle, env }] }));
  await cluster.pod('polite', isReady);
  await remove('polite');
  assert.ok(existsSync(marker));
});

test('what a container left running ends with it', async () => {
  const before = processes();
  const containers = [shell('main', 'sleep 1000 & sh -c "sleep 1000 & :"; exit 0')];
  await cluster.createPod(pod('parent', { restartPolicy: 'Never', containers }));
  await cluster.pod('parent', ({ status }) => status?.phase === 'Succeeded');
  await backTo(before);
});

test('sidecars outlive the containers, start before them, and do not keep a job alive', async () => {
  const sidecar = { ...shell('helper', 'sleep 1000'), restartPolicy: 'Always' };
  await cluster.createPod(
    pod('job', { restartPolicy: 'Never', initContainers: [sidecar], containers: [shell('main', 'exit 0')] }),
  );
  const over = await cluster.pod('job', ({ status }) => status?.phase === 'Succeeded');
  assert.equal(over.status?.initContainerStatuses?.[0]?.name, 'helper');
  await cluster.pod('job', ({ status }) => status?.initContainerStatuses?.[0]?.state?.terminated !== undefined);
});

test('a pod that goes without a word is ended too', async () => {
  const before = processes();
  await cluster.createPod(pod('forced', { containers: [stubborn()] }));
  await cluster.pod('forced', isReady);
  await cluster.kube.delete(PodKind, 'forced', 'default', { gracePeriodSeconds: 0 });
  await cluster.gone('forced');
  await cluster.createPod(pod('forced', { containers: [shell('main', 'sleep 1000')] }));
  await cluster.pod('forced', isReady);
  await remove('forced', 1);
  await backTo(before);
});

test('the next supervisor starts what it finds anew', async () => {
  // Ready when it answers, which is after it has said so in its log.
  const containers = [{ name: 'web', image: 'example/web', readinessProbe: { httpGet: { port: 8080 } } }];
  await cluster.createPod(pod('lasting', { containers }));
  await cluster.createPod(pod('done', { restartPolicy: 'Never', containers: [shell('main', 'exit 0')] }));
  await cluster.createPod(pod('leaving', { containers: [shell('main', 'sleep 1000')] }));
  const before = await cluster.pod('lasting', isReady);
  await cluster.pod('done', ({ status }) => status?.phase === 'Succeeded');
  await cluster.pod('leaving', isReady);
  await cluster.stop(true);
  await first.kube.delete(PodKind, 'leaving', 'default');
  cluster = await startCluster({ network, images, from: first });
  const again = await cluster.pod(
    'lasting',
    (found) => found.status?.containerStatuses?.[0]?.restartCount === 1 && isReady(found),
  );
  assert.notEqual(again.status?.podIP, before.status?.podIP);
  assert.equal(again.status?.startTime, before.status?.startTime);
  assert.equal(again.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 255);
  assert.notEqual(
    again.status?.containerStatuses?.[0]?.containerID,
    before.status?.containerStatuses?.[0]?.containerID,
  );
  const decoder = new TextDecoder();
  let previous = '';
  const asked = { previous: true };
  for await (const chunk of cluster.node.backend.logs('default', 'lasting', asked, AbortSignal.timeout(2_000))) {
    previous += decoder.decode(chunk);
  }
  assert.match(previous, /^web listening\n/);
  await cluster.pod(
    'done',
    ({ status }) => status?.phase === 'Succeeded' && status.containerStatuses?.[0]?.restartCount === 0,
  );
  await cluster.gone('leaving');
});

test('an API that is away for a while only delays', async () => {
  await cluster.createPod(pod('patient', { containers: [shell('main', 'sleep 0.2; exit 7')], restartPolicy: 'Never' }));
  await cluster.pod('patient', isReady);
  cluster.kube.failure = new Error('the API is away');
  // The container ends meanwhile; the news of it is kept until it can be told.
  setTimeout(() => {
    cluster.kube.failure = undefined;
  }, 500);
  const over = await cluster.pod('patient', ({ status }) => status?.phase === 'Failed');
  assert.equal(over.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 7);
});
