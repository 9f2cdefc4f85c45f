// The Job controller: runs pods until as many have succeeded as a Job asks for.
import type { Clock } from '../client/clock.ts';
import { timestamp } from '../client/clock.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import type { Informer } from '../client/informer.ts';
import type { Job, Pod } from '../client/typed-objects.ts';
import { Job as JobKind, Pod as PodKind } from '../kinds/refs.ts';
import { isStatus } from '../status-error.ts';
import type { ControllerContext } from './context.ts';
import { Controller, keyOf, splitKey } from './controller.ts';
import { canonicalJson } from './hash.ts';
import { isFinished, planJob } from './job-plan.ts';
import { OwnedPods } from './owned-pods.ts';
import { controllerRefOf, isControlledBy } from './owners.ts';
import { podFor } from './replica-set-plan.ts';

export class JobController {
  readonly #context: ControllerContext;
  readonly #clock: Clock;
  readonly #events: EventRecorder;
  readonly #jobs: Informer<Job>;
  readonly #pods: Informer<Pod>;
  readonly #ownedPods: OwnedPods;
  readonly #controller: Controller;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#clock = context.clock;
    this.#events = context.recorder('job-controller');
    this.#jobs = context.informers.informer<Job>(JobKind);
    this.#pods = context.informers.informer<Pod>(PodKind);
    this.#controller = new Controller({
      ...context,
      name: 'job-controller',
      reconcile: (key, signal) => this.#reconcile(key, signal),
    });
    this.#ownedPods = new OwnedPods(context.client, JobKind, this.#events, this.#pods, this.#clock);
    this.#controller.follow(this.#jobs, (event) => [keyOf(event.object)]);
    this.#controller.follow(this.#pods, ({ object }) => {
      const owner = controllerRefOf(object);
      return owner?.kind === JobKind.kind ? [`${object.metadata?.namespace}/${owner.name}`] : [];
    });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  async stop(): Promise<void> {
    await this.#controller.stop();
    this.#ownedPods.close();
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const job = this.#jobs.get(namespace, name);
    if (job === undefined || job.metadata?.deletionTimestamp !== undefined) return undefined;
    if (isFinished(job)) return this.#expire(job);
    const owned = this.#pods.list(namespace).filter((pod) => isControlledBy(pod, job));
    const plan = planJob(job, owned, this.#clock.now(), timestamp(this.#clock));
    // First the verdict: pods deleted before it is kept would look like pods to make again.
    if (canonicalJson(plan.status) !== canonicalJson(job.status ?? {}) && !(await this.#keep(job, plan.status)))
      return undefined;
    const pods = Array.from({ length: plan.create }, () => podFor(JobKind, job, this.#context.random));
    await Promise.all([
      ...pods.map((pod) => this.#ownedPods.create(job, pod, signal)),
      ...plan.remove.map((pod) => this.#ownedPods.delete(job, pod, signal)),
    ]);
    return plan.againInMs;
  }

  /** False when the job has gone meanwhile. */
  async #keep(job: Job, status: NonNullable<Job['status']>): Promise<boolean> {
    try {
      await this.#context.client.update(JobKind, { ...job, status }, 'status');
    } catch (error) {
      if (isStatus(error, 'NotFound')) return false;
      throw error;
    }
    const end = status.conditions?.find((one) => one.type === 'Complete' || one.type === 'Failed');
    if (end?.type === 'Complete') this.#events.event(JobKind, job, 'Normal', 'Completed', 'Job completed');
    else if (end !== undefined)
      this.#events.event(JobKind, job, 'Warning', end.reason ?? 'Failed', end.message ?? 'Job has failed');
    return true;
  }

  /** Deletes a finished job once its time is up. */
  async #expire(job: Job): Promise<number | undefined> {
    const seconds = job.spec?.ttlSecondsAfterFinished;
    const end = job.status?.conditions?.find(({ type }) => type === 'Complete' || type === 'Failed');
    if (seconds === undefined || end?.lastTransitionTime === undefined) return undefined;
    const leftMs = Date.parse(end.lastTransitionTime) + seconds * 1000 - this.#clock.now();
    if (leftMs > 0) return leftMs;
    const { name = '', namespace, uid = '' } = job.metadata ?? {};
    try {
      await this.#context.client.delete(JobKind, name, namespace, {
        propagationPolicy: 'Background',
        preconditions: { uid },
      });
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
    return undefined;
  }
}
