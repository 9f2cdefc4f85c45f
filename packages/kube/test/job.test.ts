import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { InformerSet } from '../src/client/informer-set.ts';
import type { Job, Pod } from '../src/client/typed-objects.ts';
import { planJob } from '../src/controllers/job-plan.ts';
import type { Controllers } from '../src/controllers/start.ts';
import { startControllers } from '../src/controllers/start.ts';
import { Job as JobKind, Pod as PodKind } from '../src/kinds/refs.ts';
import { isStatus } from '../src/status-error.ts';
import { eventually } from './support/eventually.ts';
import { MemoryLogger } from './support/logger.ts';
import { type RealApi, startRealApi } from './support/real-api.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const TIME = '2026-01-01T00:00:00Z';

type JobSpec = NonNullable<Job['spec']>;

const job = (spec: Partial<JobSpec> = {}, status: Job['status'] = {}): Job => ({
  metadata: { name: 'j', namespace: 'default', uid: 'u' },
  spec: {
    parallelism: 1,
    completions: 1,
    template: { metadata: {}, spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } },
    ...spec,
  },
  status,
});

const pod = (phase: string, finishedAt = TIME): Pod => ({
  metadata: { name: 'p', namespace: 'default', creationTimestamp: TIME },
  spec: { containers: [] },
  status: {
    phase,
    containerStatuses: [
      {
        name: 'c',
        image: 'i',
        imageID: '',
        ready: false,
        restartCount: 0,
        state: { terminated: { exitCode: 1, finishedAt } },
      },
    ],
  },
});

const plan = (one: Job, pods: readonly Pod[], now = NOW) => planJob(one, pods, now, TIME);
const ended = ({ status }: { status: Job['status'] }) =>
  status?.conditions?.find(({ type }) => type === 'Complete' || type === 'Failed');

describe('what a job asks for', () => {
  test('as many pods at a time as it may, until enough have succeeded', () => {
    const three = { parallelism: 2, completions: 3 };
    assert.equal(plan(job(three), []).create, 2);
    assert.equal(plan(job(three), [pod('Running'), pod('Succeeded')]).create, 1);
    assert.equal(plan(job(three), [pod('Running'), pod('Succeeded'), pod('Succeeded')]).create, 0);
    const last = plan(job(three), [pod('Succeeded'), pod('Succeeded'), pod('Succeeded')]);
    assert.equal(ended(last)?.type, 'Complete');
    assert.equal(last.status.completionTime, TIME);
  });

  test('without a number, one success and no more pods', () => {
    const { completions: _, ...spec } = job().spec as JobSpec;
    const any: Job = { ...job(), spec: { ...spec, parallelism: 2 } };
    assert.equal(plan(any, []).create, 2);
    const waits = plan(any, [pod('Succeeded'), pod('Running')]);
    assert.deepEqual([waits.create, waits.remove.length, ended(waits)], [0, 0, undefined]);
    assert.equal(ended(plan(any, [pod('Succeeded')]))?.type, 'Complete');
  });

  test('after a failure it waits, longer each time, and gives up beyond its limit', () => {
    const once = plan(job(), [pod('Failed')]);
    assert.deepEqual([once.create, once.againInMs], [0, 10_000]);
    const twice = plan(job(), [pod('Failed'), pod('Failed')], NOW + 5_000);
    assert.deepEqual([twice.create, twice.againInMs], [0, 15_000]);
    assert.equal(plan(job(), [pod('Failed')], NOW + 10_000).create, 1);
    const over = plan(job({ backoffLimit: 0 }), [pod('Failed'), pod('Running')]);
    assert.deepEqual(
      [ended(over)?.type, ended(over)?.reason, over.remove.length],
      ['Failed', 'BackoffLimitExceeded', 1],
    );
  });

  test('its time may run out, and it may be suspended', () => {
    const limited = job({ activeDeadlineSeconds: 60 }, { startTime: TIME });
    assert.equal(plan(limited, [pod('Running')], NOW + 59_000).againInMs, 1_000);
    assert.equal(ended(plan(limited, [pod('Running')], NOW + 60_000))?.reason, 'DeadlineExceeded');
    const asleep = plan(job({ suspend: true }), [pod('Running')]);
    assert.deepEqual([asleep.create, asleep.remove.length], [0, 1]);
    assert.equal(asleep.status.conditions?.[0]?.type, 'Suspended');
  });

  test('a pod that somebody deletes still counts', () => {
    assert.equal(ended(plan(job({ completions: 2 }, { succeeded: 2 }), [pod('Succeeded')]))?.type, 'Complete');
  });
});

describe('the job controller, on our own API server', () => {
  let api: RealApi;
  let informers: InformerSet;
  let controllers: Controllers;

  before(async () => {
    const log = new MemoryLogger();
    api = await startRealApi(log);
    informers = new InformerSet({ client: api.client, log });
    controllers = await startControllers({ client: api.client, informers, log });
  });
  after(async () => {
    await controllers.stop();
    await informers.stop();
    await api.close();
  });

  const create = (name: string, spec: object) =>
    api.client.create<Job>(JobKind, {
      metadata: { name, namespace: 'default' },
      spec: {
        template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'varka/none' }] } },
        ...spec,
      },
    } as Job);
  const podsOf = async (name: string) =>
    (await api.client.list<Pod>(PodKind, { namespace: 'default', labelSelector: `job-name=${name}` })).items;
  const end = async (name: string, phase: string) => {
    const [active] = await eventually(async () => {
      const pods = (await podsOf(name)).filter(
        (one) => one.status?.phase !== 'Succeeded' && one.status?.phase !== 'Failed',
      );
      return pods.length > 0 ? pods : undefined;
    }, `a pod of ${name}`);
    await api.client.update<Pod>(PodKind, { ...active, status: { ...active?.status, phase } } as Pod, 'status');
  };
  const finished = (name: string) =>
    eventually(async () => {
      const { status } = await api.client.get<Job>(JobKind, name, 'default');
      return status?.conditions?.some((one) => one.type === 'Complete' || one.type === 'Failed') ? status : undefined;
    }, `the end of ${name}`);

  test('runs one pod after the other to the end', async () => {
    await create('two', { completions: 2 });
    await end('two', 'Succeeded');
    await end('two', 'Succeeded');
    const status = await finished('two');
    assert.deepEqual([status.succeeded, status.active, status.conditions?.at(-1)?.type], [2, 0, 'Complete']);
    assert.equal((await podsOf('two')).length, 2);
  });

  test('fails with its limit, and goes when its time is up', async () => {
    await create('bad', { backoffLimit: 0, ttlSecondsAfterFinished: 0 });
    await end('bad', 'Failed');
    await eventually(async () => {
      try {
        await api.client.get(JobKind, 'bad', 'default');
        return undefined;
      } catch (error) {
        return isStatus(error, 'NotFound') ? true : undefined;
      }
    }, 'bad to be gone');
  });

  test('may not change what it runs, and runs nothing that never ends', async () => {
    await create('fixed', {});
    const patch = { spec: { completions: 3 } };
    await assert.rejects(
      api.client.patch(JobKind, 'fixed', 'default', patch),
      /spec\.completions: Invalid value: 3: field is immutable/,
    );
    const always = { template: { spec: { restartPolicy: 'Always', containers: [{ name: 'c', image: 'i' }] } } };
    await assert.rejects(create('always', always), /restartPolicy: Unsupported value: "Always"/);
  });
});
