// Volumes and images as kubectl's user meets them: files at places the machine does not have, changes that arrive, what
// is said when something is missing, a program from varka.yaml, and images of podman.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from './support/eventually.ts';
import { findKubectl } from './support/kubectl.ts';
import { Mesh } from './support/mesh.ts';
import { inPath, must, namespacesAllowed, ordinaryUser, type Peer, skipUnless } from './support/peers.ts';

const kubectlPeer = findKubectl();
const PATIENCE_MS = 20_000;
const IMAGE = 'localhost/varka-test-web:v1';

/** A user's directory with a varka.yaml: a shell stands in for `example/shell`. */
function project(): string {
  const directory = mkdtempSync(join(tmpdir(), 'varka-project-'));
  chmodSync(directory, 0o777); // whoever runs the mesh reads it, and builds there
  writeFileSync(join(directory, 'varka.yaml'), 'images: [{ image: example/shell, command: [/bin/sh, -c] }]\n');
  return directory;
}

class Kubectl {
  readonly #mesh: Mesh;

  constructor(mesh: Mesh) {
    this.#mesh = mesh;
  }

  async run(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#mesh.run(must(kubectlPeer), args);
    assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  async apply(manifest: string): Promise<void> {
    const { code, stderr } = await this.#mesh.run(must(kubectlPeer), ['apply', '-f', '-'], manifest);
    assert.equal(code, 0, stderr);
  }

  /** The STATUS column of `kubectl get pods`. */
  async status(pod: string): Promise<string | undefined> {
    return (await this.run('get', 'pod', pod, '--no-headers')).split(/\s+/)[2];
  }

  async hasStatus(pod: string, wanted: string): Promise<void> {
    let last: string | undefined;
    await eventually(`pod ${pod} ${wanted}`, PATIENCE_MS, async () => {
      last = await this.status(pod);
      if (last !== wanted) throw new Error(`it is ${last}`);
      return true;
    });
  }

  async logsHave(pod: string, wanted: RegExp): Promise<void> {
    await eventually(`the log of ${pod} has ${wanted}`, PATIENCE_MS, async () => {
      const text = await this.run('logs', pod, '--tail=20');
      if (!wanted.test(text)) throw new Error(text);
      return true;
    });
  }
}

const rateLimit = (domain: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: { name: limits }
data:
  config.yaml: "domain: ${domain}"
`;

const RATE_LIMIT_POD = `
apiVersion: v1
kind: Pod
metadata: { name: limiter }
spec:
  terminationGracePeriodSeconds: 0
  volumes:
    - { name: config, configMap: { name: limits } }
    - { name: scratch, emptyDir: { medium: Memory } }
    - { name: secret, secret: { secretName: login, optional: true } }
  containers:
    - name: limiter
      image: example/shell
      args:
        - while true; do echo "$(cat /varka-data/ratelimit/config/config.yaml) one=$(cat /etc/varka-limits/limits.yaml) tmp=$(ls /tmp)"; sleep 0.1; done
      volumeMounts:
        - { name: config, mountPath: /varka-data/ratelimit/config }
        - { name: config, mountPath: /etc/varka-limits/limits.yaml, subPath: config.yaml }
        - { name: scratch, mountPath: /tmp }
        - { name: secret, mountPath: /run/varka-login }
      readinessProbe: { exec: { command: [cat, /etc/varka-limits/limits.yaml] }, initialDelaySeconds: 180 }
`;

const users: readonly (readonly [string, Peer<{ uid: number; gid: number } | undefined>])[] = [
  ['whoever runs the tests', { found: undefined }],
  ['an ordinary user', ordinaryUser()],
];
for (const [who, peer] of users) {
  describe(`volumes, as ${who}`, { skip: skipUnless(kubectlPeer, namespacesAllowed(), peer) }, () => {
    const directory = project();
    const user = 'found' in peer ? peer.found : undefined;
    const mesh = new Mesh({ cwd: directory, ...(user === undefined ? {} : { user }) });
    const kubectl = new Kubectl(mesh);
    before(async () => {
      const { code, stderr, stdout } = await mesh.up('--sandbox', 'netns');
      assert.equal(code, 0, stderr + stdout);
    });
    after(async () => {
      await mesh.dispose();
      rmSync(directory, { recursive: true, force: true });
    });

    test('a pod waits for its ConfigMap, says so in the kubelet’s words, and goes on when it is there', async () => {
      await kubectl.apply(RATE_LIMIT_POD);
      const complaint = /FailedMount.*MountVolume\.SetUp failed for volume "config" : configmap "limits" not found/;
      await eventually('the event', PATIENCE_MS, async () => {
        const description = await kubectl.run('describe', 'pod', 'limiter');
        return complaint.test(description) ? true : undefined;
      });
      assert.equal(await kubectl.status('limiter'), 'ContainerCreating');
      await kubectl.apply(rateLimit('blue'));
      await kubectl.run('wait', '--for=condition=Ready', 'pod/limiter', '--timeout=20s');
      await kubectl.logsHave('limiter', /domain: blue one=domain: blue/);
      assert.equal(existsSync('/varka-data') || existsSync('/etc/varka-limits'), false);
    });

    test('a change arrives in the directory, and after a restart in the single file', async () => {
      await kubectl.apply(rateLimit('red'));
      await kubectl.logsHave('limiter', /domain: red one=domain: blue/);
      await kubectl.run('delete', 'pod', 'limiter');
      await kubectl.apply(RATE_LIMIT_POD);
      await kubectl.logsHave('limiter', /domain: red one=domain: red/);
    });

    test('what a claim holds is there for the next pod; the claim is Bound', async () => {
      const pod = (name: string, script: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  restartPolicy: Never
  volumes: [{ name: data, persistentVolumeClaim: { claimName: orders } }]
  containers:
    - { name: main, image: example/shell, args: [${JSON.stringify(script)}], volumeMounts: [{ name: data, mountPath: /varka-orders }] }
`;
      await kubectl.apply(`
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: orders }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } }
---${pod('writer', 'echo 42 > /varka-orders/last')}`);
      await kubectl.hasStatus('writer', 'Completed');
      assert.match(await kubectl.run('get', 'pvc', 'orders', '--no-headers'), /^orders\s+Bound\s+pvc-\S+\s+1Gi\s+RWO/);
      await kubectl.run('delete', 'pod', 'writer');
      await kubectl.apply(pod('reader', 'cat /varka-orders/last'));
      await kubectl.hasStatus('reader', 'Completed');
      assert.equal(await kubectl.run('logs', 'reader'), '42\n');
    });

    test('a projected token is the pod’s account’s, and its own to read', async () => {
      await kubectl.apply(`
apiVersion: v1
kind: Pod
metadata: { name: caller }
spec:
  volumes: [{ name: token, projected: { sources: [{ serviceAccountToken: { path: token, expirationSeconds: 600 } }] } }]
  containers:
    - name: main
      image: example/shell
      args: [exec sleep 1000]
      volumeMounts: [{ name: token, mountPath: /var/run/secrets/varka-tokens }]
`);
      await kubectl.run('wait', '--for=condition=Ready', 'pod/caller', '--timeout=20s');
      const path = '/var/run/secrets/varka-tokens/token';
      assert.equal(await kubectl.run('exec', 'caller', '--', 'stat', '-L', '-c', '%a', path), '600\n');
      const token = await kubectl.run('exec', 'caller', '--', 'cat', path);
      const { api } = await mesh.status();
      const asItself = ['--kubeconfig=/dev/null', `--server=${api}`, '--insecure-skip-tls-verify', `--token=${token}`];
      assert.match(await kubectl.run(...asItself, 'auth', 'whoami'), /system:serviceaccount:default:default/);
    });

    test('an unknown image says what to add, and saving varka.yaml is enough', async () => {
      await kubectl.run('run', 'mine', '--image=example/mine:v1');
      await eventually('ImagePullBackOff', PATIENCE_MS, async () =>
        (await kubectl.status('mine')) === 'ImagePullBackOff' ? true : undefined,
      );
      assert.match(
        await kubectl.run('describe', 'pod', 'mine'),
        /add one to varka\.yaml \(images: \[\{image: "example\/mine"/,
      );
      const build = 'printf "#!/bin/sh\\necho built; exec sleep 1000\\n" > mine.sh && chmod +x mine.sh';
      writeFileSync(
        join(directory, 'varka.yaml'),
        `images: [{ image: example/mine, command: [./mine.sh], build: ${JSON.stringify(build)} }]\n`,
      );
      await kubectl.run('wait', '--for=condition=Ready', 'pod/mine', '--timeout=20s');
      assert.equal(await kubectl.run('logs', 'mine'), 'built\n');
    });
  });
}

/** podman, with an image made here of a static busybox: no registry is needed. */
function podmanImage(): Peer<true> {
  const podman = inPath('podman');
  const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
  if (podman === undefined) return { missing: 'no podman in PATH' };
  if (busybox === undefined) return { missing: 'no busybox to make an image of (Debian: busybox-static)' };
  const files = mkdtempSync(join(tmpdir(), 'varka-image-'));
  try {
    mkdirSync(join(files, 'bin'));
    mkdirSync(join(files, 'www'));
    copyFileSync(busybox, join(files, 'bin/busybox'));
    for (const name of ['sh', 'cat', 'httpd', 'ls']) symlinkSync('busybox', join(files, 'bin', name));
    writeFileSync(join(files, 'www/who'), 'the image\n');
    const archive = `${files}.tar`;
    spawnSync('tar', ['-C', files, '-cf', archive, '.']);
    const changes = ['ENTRYPOINT ["/bin/sh", "-c"]', 'CMD ["exec httpd -f -p $PORT"]', 'ENV PORT=8080', 'WORKDIR /www'];
    const args = ['import', ...changes.flatMap((change) => ['--change', change]), archive, IMAGE];
    const { status, stderr } = spawnSync(podman, args, { encoding: 'utf8' });
    rmSync(archive);
    return status === 0 ? { found: true } : { missing: `podman cannot import an image here: ${stderr.trim()}` };
  } finally {
    rmSync(files, { recursive: true, force: true });
  }
}

const imagePeer = podmanImage();
describe('images of podman', { skip: skipUnless(kubectlPeer, namespacesAllowed(), imagePeer) }, () => {
  const mesh = new Mesh();
  const kubectl = new Kubectl(mesh);
  before(async () => {
    const { code, stderr, stdout } = await mesh.up('--sandbox', 'netns');
    assert.equal(code, 0, stderr + stdout);
  });
  after(async () => {
    await mesh.dispose();
    spawnSync('podman', ['rmi', IMAGE]);
  });

  test('one runs from its own files and config, in the pod’s network, with the pod’s volumes', async () => {
    await kubectl.apply(`
apiVersion: v1
kind: ConfigMap
metadata: { name: page }
data: { page: "a volume\\n" }
---
apiVersion: v1
kind: Pod
metadata: { name: web }
spec:
  volumes: [{ name: page, configMap: { name: page } }]
  containers:
    - name: web
      image: varka-test-web:v1
      volumeMounts: [{ name: page, mountPath: /www/page, subPath: page }]
      readinessProbe: { httpGet: { path: /who, port: 8080 } }
`);
    await kubectl.run('wait', '--for=condition=Ready', 'pod/web', '--timeout=30s');
    const get = (path: string): Promise<string> =>
      kubectl.run('get', '--raw', `/api/v1/namespaces/default/pods/web:8080/proxy/${path}`);
    assert.equal(await get('who'), 'the image\n');
    assert.equal(await get('page'), 'a volume\n');
    assert.equal(await kubectl.run('exec', 'web', '--', 'ls', '/www'), 'page\nwho\n');
    assert.match(
      await kubectl.run('get', 'pod', 'web', '-o', 'jsonpath={.status.containerStatuses[0].imageID}'),
      /^sha256:/,
    );
    assert.match(
      await kubectl.run('describe', 'pod', 'web'),
      /Container image "varka-test-web:v1" already present on machine/,
    );
  });

  test('what the container changes is its own, and gone after a restart', async () => {
    await kubectl.apply(`
apiVersion: v1
kind: Pod
metadata: { name: fresh }
spec:
  containers:
    - { name: main, image: ${IMAGE}, args: ["ls /www; echo x > /www/changed; ls /www; exit 1"] }
`);
    await eventually('a second run', PATIENCE_MS, async () =>
      (await kubectl.status('fresh')) === 'CrashLoopBackOff' ? true : undefined,
    );
    for (const previous of [[], ['--previous']]) {
      assert.equal(await kubectl.run('logs', 'fresh', ...previous), 'who\nchanged\nwho\n');
    }
  });

  test('one that is not there is not fetched against the policy, and otherwise says why it could not be', async () => {
    await kubectl.run('run', 'never', '--image=registry.invalid/never:v1', '--image-pull-policy=Never');
    await kubectl.hasStatus('never', 'ErrImageNeverPull');
    await kubectl.run('run', 'pulled', '--image=registry.invalid/pulled:v1');
    await kubectl.hasStatus('pulled', 'ImagePullBackOff');
    assert.match(
      await kubectl.run('describe', 'pod', 'pulled'),
      /Failed to pull image "registry\.invalid\/pulled:v1": podman pull: /,
    );
  });
});
