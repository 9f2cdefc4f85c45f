// Every file of the seeds' own repositories, applied with kubectl to an API without pods: accepted, or refused as on
// Kubernetes.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { writeKubeconfig } from '../../packages/kube/src/credentials/kubeconfig-file.ts';
import { startApi } from '../../packages/kube/test/support/api-fixture.ts';
import { findKubectl } from './support/kubectl.ts';
import { Mesh } from './support/mesh.ts';
import { must, seedManifests, skipUnless } from './support/peers.ts';

/** What Kubernetes, or kubectl before it, refuses; everything else is accepted. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  'seed-0/ci/pipelinerun.yaml': /cannot use generate name with apply/,
  // A placeholder where base64 belongs.
  'seed-0/ci/quay-credentials.yaml': /data\[config\.json\]: Invalid value/,
  'seed-1/podman-compose.yml': /apiVersion not set/,
  'seed-2/configs/istio/egress.yaml': /apiVersion not set/,
};

describe("the seeds' manifests", () => {
  for (const seed of ['seed-0', 'seed-1', 'seed-2', 'seed-3', 'seed-4']) {
    const manifests = seedManifests(seed);
    const kubectl = findKubectl();
    test(seed, { skip: skipUnless(manifests, kubectl) }, async () => {
      const api = await startApi();
      const kubeconfig = join(api.folder, 'kubeconfig');
      const access = { server: `https://127.0.0.1:${api.port}`, name: 'seeds', credentials: api.credentials };
      await writeKubeconfig(kubeconfig, access);
      const shell = new Mesh({ home: api.folder, env: { KUBECONFIG: kubeconfig } });
      const run = (...args: string[]) => shell.run(must(kubectl), args);
      try {
        const folder = must(manifests);
        const files = globSync('**/*.{yaml,yml}', { cwd: folder }).sort();
        assert.notEqual(files.length, 0);
        const texts = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
        const namespaces = [...texts.matchAll(/^ +namespace: "?([a-z0-9-]+)"?\s*$/gm)].map(([, name = '']) => name);
        // Namespaces that the walkthrough makes by hand; those that its files make are there already.
        for (const name of new Set(namespaces)) await run('create', 'namespace', name);
        for (const file of files) {
          const { code, stdout, stderr } = await run('apply', '-f', join(folder, file));
          const refusal = REFUSED[`${seed}/${file}`];
          if (refusal === undefined) assert.equal(code, 0, `${file}: ${stdout}${stderr}`);
          else assert.match(stderr, refusal, file);
        }
      } finally {
        await api.close();
      }
    });
  }
});
