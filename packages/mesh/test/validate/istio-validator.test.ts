// The validator as the API server meets it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Pod, VirtualService } from '@varka/kube/kinds/refs.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import type { AdmissionResponse } from '@varka/kube/server/admission.ts';
import { istioValidator } from '../../src/validate/istio-validator.ts';

const plugin = istioValidator();
const rule = (spec: Record<string, unknown>): KubeObject => ({
  kind: 'VirtualService',
  metadata: { name: 'x', namespace: 'apps' },
  spec,
});
const good = rule({ hosts: ['web'], http: [{ route: [{ destination: { host: 'web' } }] }] });
const bad = rule({ hosts: ['web'] });
const worse = rule({ hosts: ['a b'] });

const admit = async (
  object: KubeObject,
  more: { operation?: 'CREATE' | 'UPDATE' | 'DELETE'; oldObject?: KubeObject } = {},
) =>
  (await plugin.admit({
    operation: 'CREATE',
    kind: VirtualService,
    namespace: 'apps',
    object,
    ...more,
  })) as AdmissionResponse;

describe('the Istio validator', () => {
  it('lets a good object through unchanged', async () => {
    assert.deepEqual(await admit(good), { allowed: true });
  });

  it('refuses in the words of the webhook it stands for', async () => {
    assert.deepEqual(await admit(bad), {
      allowed: false,
      message: 'configuration is invalid: spec: http, tcp or tls must be provided in virtual service',
    });
  });

  it('lists several errors as istiod does', async () => {
    const response = await admit(worse);
    assert.ok(!response.allowed);
    assert.match(response.message, /invalid: 2 errors occurred:\n\t\* spec\.hosts\[0\]: .*\n\t\* spec: http, tcp/);
  });

  it('warns of what is kept and not carried out', async () => {
    const response = await admit(
      rule({
        hosts: ['web'],
        http: [{ route: [{ destination: { host: 'web' } }], mirror_percent: 100 }],
      }),
    );
    assert.ok(response.allowed);
    assert.match(response.warnings?.[0] ?? '', /^spec\.http\[0\]\.mirror_percent: deprecated/);
  });

  it('looks at no deletion, at no other kind, and at no change beside the spec', async () => {
    assert.deepEqual(await admit(bad, { operation: 'DELETE' }), { allowed: true });
    assert.deepEqual(await plugin.admit({ operation: 'CREATE', kind: Pod, object: bad }), { allowed: true });
    assert.deepEqual(await admit({ ...bad, status: {} }, { operation: 'UPDATE', oldObject: bad }), { allowed: true });
    const update = await admit(worse, { operation: 'UPDATE', oldObject: bad });
    assert.equal(update.allowed, false);
  });
});
