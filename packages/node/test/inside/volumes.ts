// Volumes as pods use them. Runs inside the cluster's network namespace, against an API in memory.
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import { ConfigMap, PersistentVolumeClaim, Pod as PodKind, Secret } from '@varka/kube/kinds/refs.ts';
import type { PodSpec } from 'kubernetes-types/core/v1.d.ts';
import { createNetwork, isReady, pod, startCluster } from '../support/cluster.ts';

const network = createNetwork();
const web = fileURLToPath(new URL('../programs/web.ts', import.meta.url));
const cluster = await startCluster({
  network,
  images: [
    { image: 'example/web', program: { entrypoint: [process.execPath, web] } },
    { image: 'example/shell', program: { entrypoint: ['/bin/sh', '-c'] } },
  ],
});
const scratch = mkdtempSync(join(tmpdir(), 'varka-volumes-'));

after(async () => {
  await cluster.stop();
  await network.close();
  rmSync(scratch, { recursive: true, force: true });
});

const isOver = (found: Pod): boolean => ['Succeeded', 'Failed'].includes(found.status?.phase ?? '');

async function logs(name: string, container?: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  const options = container === undefined ? {} : { container };
  for await (const chunk of cluster.node.backend.logs('default', name, options, AbortSignal.timeout(5_000))) {
    text += decoder.decode(chunk);
  }
  return text.trim();
}

async function configMap(name: string, data: Record<string, string>, binaryData: Record<string, string> = {}) {
  const object = { metadata: { name, namespace: 'default' }, data, binaryData };
  await cluster.kube.create(ConfigMap, object);
}

/** Runs a script in a container with these mounts to its end; answers what it printed. */
async function run(
  name: string,
  script: string,
  volumes: PodSpec['volumes'],
  volumeMounts: PodSpec['containers'][number]['volumeMounts'],
  metadata: Pod['metadata'] = {},
): Promise<string> {
  await cluster.createPod(
    pod(
      name,
      {
        restartPolicy: 'Never',
        volumes: volumes ?? [],
        containers: [
          {
            name: 'main',
            image: 'example/shell',
            args: [script],
            env: [
              { name: 'WHO', value: 'me' },
              { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
              { name: 'MIB', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
            ],
            resources: { limits: { cpu: '1500m', memory: '64Mi' } },
            volumeMounts: volumeMounts ?? [],
          },
        ],
      },
      metadata,
    ),
  );
  const over = await cluster.pod(name, isOver);
  const text = await logs(name);
  assert.equal(over.status?.phase, 'Succeeded', `${text}${JSON.stringify(over.status?.containerStatuses)}`);
  return text;
}

test('containers, init containers too, share an emptyDir; it goes with the pod', async () => {
  const volumeMounts = [{ name: 'work', mountPath: '/varka-work' }];
  const step = (name: string, script: string) => ({ name, image: 'example/shell', args: [script], volumeMounts });
  await cluster.createPod(
    pod('shared', {
      restartPolicy: 'Never',
      volumes: [{ name: 'work', emptyDir: {} }],
      initContainers: [step('first', 'echo made > /varka-work/x')],
      containers: [step('main', 'cat /varka-work/x')],
    }),
  );
  const over = await cluster.pod('shared', isOver);
  assert.equal(await logs('shared'), 'made');
  const directory = join(cluster.stateDir, 'pods', `default_shared_${over.metadata?.uid}`);
  assert.equal(existsSync(join(directory, '.volumes/work/x')), true);
  await cluster.kube.delete(PodKind, 'shared', 'default', { gracePeriodSeconds: 0 });
  await cluster.gone('shared');
  await until(async () => !existsSync(directory));
});

test('a ConfigMap as files: all keys, some under other names, one by subPath, bytes, modes', async () => {
  await configMap('files', { 'a.conf': 'alpha', b: 'beta' }, { raw: Buffer.from([0, 255]).toString('base64') });
  const text = await run(
    'config-files',
    [
      'cd /varka-all && ls && cat a.conf && od -An -tx1 raw',
      'cat /varka-some/deep/beta && stat -L -c %a /varka-some/deep/beta /varka-all/b',
      'cat /etc/varka/varka.conf && ls /etc/varka',
      'touch /varka-all/new 2>&1 | grep -o "Read-only file system"',
    ].join('; echo; '),
    [
      { name: 'all', configMap: { name: 'files' } },
      { name: 'some', configMap: { name: 'files', items: [{ key: 'b', path: 'deep/beta', mode: 0o400 }] } },
      { name: 'absent', configMap: { name: 'nowhere', optional: true } },
    ],
    [
      { name: 'all', mountPath: '/varka-all' },
      { name: 'some', mountPath: '/varka-some' },
      { name: 'all', mountPath: '/etc/varka/varka.conf', subPath: 'a.conf' },
      { name: 'absent', mountPath: '/varka-absent' },
    ],
  );
  assert.deepEqual(text.split('\n'), [
    ...['a.conf', 'b', 'raw', 'alpha 00 ff', '', 'beta400', '644', '', 'alphavarka.conf', ''],
    'Read-only file system',
  ]);
});

test('secrets, the downward API, and all of them projected into one directory', async () => {
  await configMap('part', { c: 'config' });
  const data = { password: Buffer.from('s3cret').toString('base64') };
  await cluster.kube.create(Secret, { metadata: { name: 'part', namespace: 'default' }, data });
  const cpu = { containerName: 'main', resource: 'limits.cpu', divisor: '1m' };
  const text = await run(
    'projected',
    'cat /varka-p/c /varka-p/secrets/password; echo; cat /varka-p/labels; echo; cat /varka-d/cpu /varka-s/password; stat -L -c %a /varka-p/c',
    [
      {
        name: 'p',
        projected: {
          defaultMode: 0o440,
          sources: [
            { configMap: { name: 'part' } },
            { secret: { name: 'part', items: [{ key: 'password', path: 'secrets/password' }] } },
            { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
          ],
        },
      },
      { name: 'd', downwardAPI: { items: [{ path: 'cpu', resourceFieldRef: cpu }] } },
      { name: 's', secret: { secretName: 'part' } },
    ],
    ['p', 'd', 's'].map((name) => ({ name, mountPath: `/varka-${name}` })),
    { labels: { tier: 'back', app: 'x' } },
  );
  assert.equal(text, 'configs3cret\napp="x"\ntier="back"\n1500s3cret440');
});

test('subPath and subPathExpr, made where they are not there; out of the volume they do not lead', async () => {
  const volumes = [{ name: 'work', emptyDir: {} }];
  const text = await run('sub-paths', 'echo x > /varka-a/f; find /varka-whole | sort; ls /varka-b', volumes, [
    { name: 'work', mountPath: '/varka-whole' },
    { name: 'work', mountPath: '/varka-a', subPath: 'logs/a' },
    { name: 'work', mountPath: '/varka-b', subPathExpr: 'logs/$(WHO)' },
  ]);
  assert.deepEqual(text.split('\n'), [
    ...['/varka-whole', '/varka-whole/logs', '/varka-whole/logs/a', '/varka-whole/logs/a/f', '/varka-whole/logs/me'],
  ]);
  const refused: [string, object, RegExp][] = [
    ['dots', { subPath: '../../x' }, /subPath \.\.\/\.\.\/x must not leave the volume/],
    ['unset', { subPathExpr: '$(NOBODY)' }, /missing value for "NOBODY" in subPathExpr/],
  ];
  for (const [name, how, message] of refused) {
    const volumeMounts = [{ name: 'work', mountPath: '/varka-x', ...how }];
    await cluster.createPod(pod(name, { volumes, containers: [{ name: 'main', image: 'example/web', volumeMounts }] }));
    const waiting = await cluster.pod(
      name,
      ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    assert.match(waiting.status?.containerStatuses?.[0]?.state?.waiting?.message ?? '', message);
  }
  symlinkOut();
  const volumeMounts = [{ name: 'host', mountPath: '/varka-x', subPath: 'out/etc' }];
  await cluster.createPod(
    pod('link', {
      volumes: [{ name: 'host', hostPath: { path: join(scratch, 'links') } }],
      containers: [{ name: 'main', image: 'example/web', volumeMounts }],
    }),
  );
  const waiting = await cluster.pod('link', ({ status }) =>
    /leads out of the volume/.test(status?.containerStatuses?.[0]?.state?.waiting?.message ?? ''),
  );
  assert.equal(isReady(waiting), false);
});

function symlinkOut(): void {
  mkdirSync(join(scratch, 'links'), { recursive: true });
  symlinkSync('/', join(scratch, 'links/out'));
}

test('a volume over /tmp, where the program itself and its home may be, keeps nobody from running', async () => {
  await cluster.createPod(
    pod('over-tmp', {
      volumes: [{ name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }],
      containers: [
        { name: 'web', image: 'example/web', volumeMounts: [{ name: 'tmp', mountPath: tmpdir() }] },
        {
          name: 'shell',
          image: 'example/shell',
          args: [`echo x > ${tmpdir()}/x; echo y > $TMPDIR/y; stat -f -c %T ${tmpdir()}; exec sleep 1000`],
          volumeMounts: [{ name: 'tmp', mountPath: tmpdir() }],
          readinessProbe: { exec: { command: ['/bin/sh', '-c', `cat ${tmpdir()}/x $TMPDIR/y`] } },
        },
      ],
    }),
  );
  await cluster.pod('over-tmp', isReady);
  assert.equal(await logs('over-tmp', 'shell'), 'tmpfs');
  assert.equal(existsSync(join(tmpdir(), 'x')), false);
});

test('a ConfigMap that is not there is told in the kubelet’s words, and waited for', async () => {
  await cluster.createPod(
    pod('waiting', {
      volumes: [{ name: 'config', configMap: { name: 'late', items: [{ key: 'k', path: 'k' }] } }],
      containers: [
        { name: 'main', image: 'example/web', volumeMounts: [{ name: 'config', mountPath: '/varka-config' }] },
      ],
    }),
  );
  const waiting = await cluster.pod('waiting', ({ status }) => status?.containerStatuses !== undefined);
  assert.equal(waiting.status?.phase, 'Pending');
  assert.equal(waiting.status?.containerStatuses?.[0]?.state?.waiting?.reason, 'ContainerCreating');
  const said = async (): Promise<(string | undefined)[]> =>
    (await cluster.events('waiting')).filter(({ reason }) => reason === 'FailedMount').map(({ message }) => message);
  assert.deepEqual(await said(), ['MountVolume.SetUp failed for volume "config" : configmap "late" not found']);
  await configMap('late', { other: 'x' });
  const missing = 'MountVolume.SetUp failed for volume "config" : configmap references non-existent config key: k';
  await until(async () => (await said()).includes(missing));
  await cluster.kube.update(ConfigMap, { metadata: { name: 'late', namespace: 'default' }, data: { k: 'v' } } as never);
  await cluster.pod('waiting', isReady);
});

test('a change reaches the files by one rename, but not those mounted by subPath; a deletion leaves them', async () => {
  await configMap('live', { colour: 'blue', size: '1' });
  const watch =
    'while :; do cat /varka-live/colour; echo " $(cat /varka-live/size) $(cat /varka-one)"; sleep 0.02; done';
  await cluster.createPod(
    pod('live', {
      volumes: [{ name: 'live', configMap: { name: 'live' } }],
      containers: [
        {
          name: 'main',
          image: 'example/shell',
          args: [watch],
          volumeMounts: [
            { name: 'live', mountPath: '/varka-live' },
            { name: 'live', mountPath: '/varka-one', subPath: 'colour' },
          ],
        },
      ],
    }),
  );
  const running = await cluster.pod('live', isReady);
  await until(async () => (await logs('live')).includes('blue 1 blue'));
  const data = { colour: 'red', more: 'x', size: '1' };
  await cluster.kube.update(ConfigMap, { metadata: { name: 'live', namespace: 'default' }, data } as never);
  await until(async () => (await logs('live')).includes('red 1 blue'));
  const directory = join(cluster.stateDir, 'pods', `default_live_${running.metadata?.uid}`, '.volumes/live');
  const names = readdirSync(directory).sort();
  assert.deepEqual(names.slice(1), ['..data', 'colour', 'more', 'size']);
  await cluster.kube.delete(ConfigMap, 'live', 'default');
  await until(async () => (await cluster.events('live')).some(({ reason }) => reason === 'FailedMount'));
  assert.equal(readFileSync(join(directory, 'colour'), 'utf8'), 'red');
});

test('labels of the pod reach its downward files', async () => {
  await cluster.createPod(
    pod(
      'labelled',
      {
        volumes: [
          { name: 'me', downwardAPI: { items: [{ path: 'l', fieldRef: { fieldPath: "metadata.labels['v']" } }] } },
        ],
        containers: [
          {
            name: 'main',
            image: 'example/shell',
            args: ['while :; do cat /varka-me/l; echo; sleep 0.02; done'],
            volumeMounts: [{ name: 'me', mountPath: '/varka-me' }],
          },
        ],
      },
      { labels: { v: 'one' } },
    ),
  );
  await cluster.pod('labelled', isReady);
  await until(async () => (await logs('labelled')).includes('one'));
  await cluster.kube.patch(PodKind, 'labelled', 'default', { metadata: { labels: { v: 'two' } } });
  await until(async () => (await logs('labelled')).includes('two'));
});

test('a path of the machine: used as it is, checked by type, made where asked', async () => {
  const path = join(scratch, 'host');
  const made = [{ name: 'host', hostPath: { path, type: 'DirectoryOrCreate' } }];
  await run('host-made', 'echo x > /varka-host/x', made, [{ name: 'host', mountPath: '/varka-host' }]);
  assert.equal(readFileSync(join(path, 'x'), 'utf8'), 'x\n');
  const readOnly = await run(
    'host-read',
    'cat /varka-host/x; touch /varka-host/y 2>&1 | grep -o "Read-only"',
    [{ name: 'host', hostPath: { path } }],
    [{ name: 'host', mountPath: '/varka-host', readOnly: true }],
  );
  assert.equal(readOnly, 'x\nRead-only');
  writeFileSync(join(scratch, 'file'), '');
  await failsToMount(
    'host-type',
    { hostPath: { path: join(scratch, 'file'), type: 'Directory' } },
    /is not a directory$/,
  );
});

test('what a claim holds outlives the pod, for as long as the claim is there', async () => {
  const volume = { persistentVolumeClaim: { claimName: 'data' } };
  const claimed = [{ name: 'data', ...volume }];
  const mounts = [{ name: 'data', mountPath: '/varka-data' }];
  await failsToMount('unclaimed', volume, /: persistentvolumeclaim "data" not found$/);
  await cluster.kube.create(PersistentVolumeClaim, { metadata: { name: 'data', namespace: 'default' } });
  await run('claims', 'echo kept > /varka-data/x', claimed, mounts);
  await cluster.kube.delete(PodKind, 'claims', 'default', { gracePeriodSeconds: 0 });
  assert.equal(await run('claims-again', 'cat /varka-data/x', claimed, mounts), 'kept');
});

test('volumes that one machine does not have are told; those that nobody mounts do not matter', async () => {
  const nfs = { nfs: { server: 'x', path: '/' } };
  await failsToMount('remote', nfs, /volumes of type nfs are not supported on this machine; use emptyDir/);
  assert.equal(await run('unused', 'echo $CPU $MIB', [{ name: 'v', ...nfs }], []), '2 64');
});

async function failsToMount(name: string, volume: object, message: RegExp): Promise<void> {
  const volumeMounts = [{ name: 'v', mountPath: '/varka-v' }];
  const containers = [{ name: 'main', image: 'example/web', volumeMounts }];
  await cluster.createPod(pod(name, { volumes: [{ name: 'v', ...volume }], containers }));
  await until(async () => (await cluster.events(name)).some((event) => message.test(event.message ?? '')));
}

/** Looks until it is so; the test's own timeout is the limit. */
async function until(look: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await look())) {
    assert.ok(Date.now() < deadline, 'it did not come to that');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
