// Tekton's pipelines and triggers, and its operator's TektonConfig (tekton.dev, triggers.tekton.dev, operator.tekton.dev).
import { type KindRow, pathColumn } from '../row.ts';
import { anything, bool, int, list, obj, type Schema, str } from '../schema.ts';
import { ageByPath, openObject, storedRow } from '../stored-row.ts';

const params = list(openObject({ name: str('Name of the parameter.') }, ['name']), 'Parameters.');
const workspaces = list(openObject({ name: str('Name of the workspace.') }, ['name']), 'Volumes that tasks share.');
const taskRef = openObject({ name: str(), kind: str(), apiVersion: str() });

const pipelineSpec = openObject({
  description: str(),
  params,
  workspaces,
  tasks: list(
    openObject({ name: str(), taskRef, runAfter: list(str(), 'Tasks that come first.'), params, workspaces }),
    'What is done.',
  ),
  finally: list(anything()),
});

const pipelineKind = (kind: string, plural: string, spec: Schema, more: Partial<KindRow> = {}): KindRow => ({
  ...storedRow(
    {
      group: 'tekton.dev',
      kind,
      plural,
      categories: ['tekton', 'tekton-pipelines'],
      versions: ['v1', 'v1beta1'],
    },
    spec,
  ),
  ...more,
});

/** What pipeline and task runs show. */
const runColumns: Pick<KindRow, 'columns'> = {
  columns: storedRow({ group: '', kind: '', plural: '', versions: [] }, {}, [
    pathColumn('Succeeded', '.status.conditions[?(@.type=="Succeeded")].status', 'Whether it succeeded.'),
    pathColumn('Reason', '.status.conditions[?(@.type=="Succeeded")].reason', 'Why, or why not.'),
    pathColumn('StartTime', '.status.startTime', 'When it began.', 'date'),
    pathColumn('CompletionTime', '.status.completionTime', 'When it ended.', 'date'),
  ]).columns.filter((column) => column !== ageByPath),
};

export const pipelineRow = pipelineKind('Pipeline', 'pipelines', pipelineSpec);
export const pipelineRunRow = pipelineKind(
  'PipelineRun',
  'pipelineruns',
  openObject({ pipelineRef: openObject({ name: str() }), pipelineSpec, params, workspaces, serviceAccountName: str() }),
  { shortNames: ['pr', 'prs'], ...runColumns },
);
export const taskRow = pipelineKind(
  'Task',
  'tasks',
  openObject({ description: str(), params, workspaces, steps: list(anything(), 'What is done.') }),
);
export const taskRunRow = pipelineKind(
  'TaskRun',
  'taskruns',
  openObject({ taskRef, params, workspaces, serviceAccountName: str() }),
  { shortNames: ['tr', 'trs'], ...runColumns },
);

const triggerKind = (kind: string, plural: string, shortName: string, spec: Schema): KindRow =>
  storedRow(
    {
      group: 'triggers.tekton.dev',
      kind,
      plural,
      shortNames: [shortName],
      categories: ['tekton', 'tekton-triggers'],
      versions: ['v1beta1', 'v1alpha1'],
    },
    spec,
  );

export const triggerBindingRow = triggerKind(
  'TriggerBinding',
  'triggerbindings',
  'tb',
  openObject({ params: list(openObject({ name: str(), value: str() })) }),
);
export const triggerTemplateRow = triggerKind(
  'TriggerTemplate',
  'triggertemplates',
  'tt',
  openObject({ params, resourcetemplates: list(anything(), 'Objects to create.') }),
);
export const eventListenerRow = triggerKind(
  'EventListener',
  'eventlisteners',
  'el',
  openObject({
    serviceAccountName: str(),
    triggers: list(
      openObject({
        name: str(),
        interceptors: list(anything()),
        bindings: list(openObject({ ref: str(), kind: str() })),
        template: openObject({ ref: str() }),
      }),
      'What is done on which event.',
    ),
  }),
);

export const tektonConfigRow = storedRow(
  {
    group: 'operator.tekton.dev',
    kind: 'TektonConfig',
    plural: 'tektonconfigs',
    namespaced: false,
    versions: ['v1alpha1'],
  },
  openObject({
    profile: str(),
    targetNamespace: str(),
    pruner: obj({
      disabled: bool(),
      resources: list(str()),
      keep: int(),
      'keep-since': int(),
      'prune-per-resource': bool(),
      schedule: str(),
      startingDeadlineSeconds: int(),
    }),
  }),
  [
    pathColumn('Version', '.status.version', 'Version in force.'),
    pathColumn('Ready', '.status.conditions[?(@.type=="Ready")].status', 'Whether it is ready.'),
  ],
);
