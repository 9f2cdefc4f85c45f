// batch/v1 Job and CronJob: pods that run until they are done.
import type { KubeObject, StatusCause } from '../../object.ts';
import { humanDuration } from '../human-duration.ts';
import { invalid, required, unsupported } from '../names.ts';
import { defaultPodSpec, podSpecProblems, record, records, strings } from '../pod-template.ts';
import { ageColumn, type KindRow, nameColumn, pathColumn } from '../row.ts';
import { anything, bool, int, int64, list, listBy, obj, oneOfWords, str, time } from '../schema.ts';
import { condition, labelSelector, objectReference } from '../schemas/meta.ts';
import { podTemplate } from '../schemas/pod.ts';
import { templateColumns } from '../workload-columns.ts';

const jobSpec = obj(
  {
    parallelism: int('Pods at the same time.', { default: 1, minimum: 0 }),
    completions: int('Pods that must succeed.', { minimum: 0 }),
    backoffLimit: int('Failed pods after which the job has failed.', { default: 6, minimum: 0 }),
    activeDeadlineSeconds: int64('Seconds after which the job has failed.'),
    ttlSecondsAfterFinished: int('Seconds after its end at which the job is deleted.'),
    suspend: bool('True: no pods are started.', { default: false }),
    completionMode: oneOfWords(['NonIndexed'], 'NonIndexed; Indexed is not supported here.', { default: 'NonIndexed' }),
    manualSelector: bool(),
    selector: { ...labelSelector, description: "Selects the job's pods; made by the server." },
    podReplacementPolicy: str(undefined, { default: 'TerminatingOrFailed' }),
    template: podTemplate,
  },
  ['template'],
  'What is wanted.',
);

const isJob = (type: string) => (condition_: Record<string, unknown>) =>
  condition_['type'] === type && condition_['status'] === 'True';

/** Complete, Failed, Suspended or Running, as kubectl shows it. */
function stateOf(job: KubeObject): string {
  const conditions = records(record(job['status'])['conditions']);
  const found = ['Complete', 'Failed', 'Suspended'].find((type) => conditions.some(isJob(type)));
  return found ?? 'Running';
}

export const jobRow: KindRow = {
  group: 'batch',
  kind: 'Job',
  plural: 'jobs',
  categories: ['all'],
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  subresources: { status: true },
  schema: obj({
    spec: jobSpec,
    status: obj({
      active: int(),
      ready: int(),
      succeeded: int(),
      failed: int(),
      terminating: int(),
      startTime: time(),
      completionTime: time(),
      uncountedTerminatedPods: anything(),
      conditions: listBy('type', condition({ lastProbeTime: time() })),
    }),
  }),
  columns: [
    nameColumn,
    { name: 'Status', type: 'string', description: 'How the job is.', cell: stateOf },
    {
      name: 'Completions',
      type: 'string',
      description: 'Pods that succeeded, of those that must.',
      cell: (job) => {
        const { completions, parallelism = 1 } = record(job['spec']);
        const wanted = completions ?? (parallelism === 1 ? 1 : `1 of ${parallelism}`);
        return `${record(job['status'])['succeeded'] ?? 0}/${wanted}`;
      },
    },
    {
      name: 'Duration',
      type: 'string',
      description: 'How long it ran.',
      cell: (job, now) => {
        const { startTime, completionTime } = record(job['status']);
        if (typeof startTime !== 'string') return '';
        const end = typeof completionTime === 'string' ? Date.parse(completionTime) : now.getTime();
        return humanDuration(end - Date.parse(startTime));
      },
    },
    ageColumn,
    ...templateColumns,
  ],
  rules: {
    prepareCreate(draft) {
      const spec = record(draft['spec']);
      if (spec['parallelism'] === 1) spec['completions'] ??= 1;
      if (spec['manualSelector'] !== true) labelPods(draft, spec);
      defaultPodSpec(record(record(spec['template'])['spec']));
    },
    prepareUpdate: (draft) => defaultPodSpec(record(record(record(draft['spec'])['template'])['spec'])),
    validate: jobProblems,
  },
};

/** The job's own pods are told by its UID, so that no two jobs ever share any. */
function labelPods(draft: KubeObject, spec: Record<string, unknown>): void {
  const uid = draft.metadata?.uid ?? '';
  const template = record(spec['template']);
  const metadata = record(template['metadata']);
  const own = {
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': draft.metadata?.name ?? '',
    'controller-uid': uid,
    'job-name': draft.metadata?.name ?? '',
  };
  spec['template'] = { ...template, metadata: { ...metadata, labels: { ...strings(metadata['labels']), ...own } } };
  spec['selector'] = { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } };
}

function jobProblems(job: KubeObject, old?: KubeObject): StatusCause[] {
  const spec = record(job['spec']);
  const causes = templateProblems(spec, 'spec');
  if (spec['selector'] === undefined) causes.push(required('spec.selector'));
  if (old !== undefined) {
    const before = record(old['spec']);
    for (const field of ['template', 'selector', 'completions'] as const) {
      if (JSON.stringify(spec[field]) !== JSON.stringify(before[field]))
        causes.push(invalid(`spec.${field}`, spec[field] ?? null, 'field is immutable'));
    }
  }
  return causes;
}

function templateProblems(spec: Record<string, unknown>, path: string): StatusCause[] {
  const pod = record(record(spec['template'])['spec']);
  const causes = podSpecProblems(pod, `${path}.template.spec`);
  if (pod['restartPolicy'] !== 'OnFailure' && pod['restartPolicy'] !== 'Never')
    causes.push(unsupported(`${path}.template.spec.restartPolicy`, pod['restartPolicy'], ['OnFailure', 'Never']));
  return causes;
}

export const cronJobRow: KindRow = {
  group: 'batch',
  kind: 'CronJob',
  plural: 'cronjobs',
  shortNames: ['cj'],
  categories: ['all'],
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  notice: 'a CronJob starts no Jobs here yet: use kubectl create job --from=cronjob/NAME',
  subresources: { status: true },
  schema: obj({
    spec: obj(
      {
        schedule: str('Cron expression.'),
        timeZone: str(),
        startingDeadlineSeconds: int64(),
        concurrencyPolicy: oneOfWords(['Allow', 'Forbid', 'Replace'], undefined, { default: 'Allow' }),
        suspend: bool(undefined, { default: false }),
        successfulJobsHistoryLimit: int(undefined, { default: 3, minimum: 0 }),
        failedJobsHistoryLimit: int(undefined, { default: 1, minimum: 0 }),
        jobTemplate: obj({ metadata: anything(), spec: jobSpec }, ['spec']),
      },
      ['schedule', 'jobTemplate'],
      'What is wanted.',
    ),
    status: obj({ active: list(objectReference), lastScheduleTime: time(), lastSuccessfulTime: time() }),
  }),
  columns: [
    nameColumn,
    pathColumn('Schedule', '.spec.schedule', 'Cron expression.'),
    {
      name: 'Timezone',
      type: 'string',
      description: 'Time zone of the schedule.',
      cell: (job) => record(job['spec'])['timeZone'] ?? '<none>',
    },
    {
      name: 'Suspend',
      type: 'string',
      description: 'Whether nothing is started.',
      cell: (job) => (record(job['spec'])['suspend'] === true ? 'True' : 'False'),
    },
    {
      name: 'Active',
      type: 'integer',
      description: 'Jobs that run.',
      cell: (job) => records(record(job['status'])['active']).length,
    },
    {
      name: 'Last Schedule',
      type: 'string',
      description: 'When it ran last.',
      cell: (job) => record(job['status'])['lastScheduleTime'] ?? '<none>',
    },
    ageColumn,
  ],
  rules: {
    prepareCreate: (draft) => defaultPodSpec(podOf(draft)),
    prepareUpdate: (draft) => defaultPodSpec(podOf(draft)),
    validate: (job) => templateProblems(jobSpecOf(job), 'spec.jobTemplate.spec'),
  },
};

const jobSpecOf = (job: KubeObject) => record(record(record(job['spec'])['jobTemplate'])['spec']);
const podOf = (job: KubeObject) => record(record(jobSpecOf(job)['template'])['spec']);
