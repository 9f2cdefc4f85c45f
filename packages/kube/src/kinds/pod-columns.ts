// How `kubectl get pods` shows a pod: the status word is worked out from its containers (kubectl's own rules).
import type { KubeObject } from '../object.ts';
import { humanDuration } from './human-duration.ts';
import { record, records } from './pod-template.ts';
import { ageColumn, type Column, nameColumn } from './row.ts';

interface Summary {
  readonly status: string;
  readonly ready: number;
  readonly total: number;
  readonly restarts: number;
  readonly lastRestart: number | undefined;
}

export function podSummary(pod: KubeObject): Summary {
  const spec = record(pod['spec']);
  const status = record(pod['status']);
  const sidecars = new Set(
    records(spec['initContainers'])
      .filter((one) => one['restartPolicy'] === 'Always')
      .map((one) => one['name']),
  );
  let reason = String(status['reason'] ?? status['phase'] ?? '');
  let ready = 0;
  let restarts = 0;
  let lastRestart: number | undefined;
  const countRestart = (container: Record<string, unknown>) => {
    restarts += Number(container['restartCount'] ?? 0);
    const finished = Date.parse(String(record(record(container['lastState'])['terminated'])['finishedAt'] ?? ''));
    if (!Number.isNaN(finished)) lastRestart = Math.max(lastRestart ?? 0, finished);
  };

  const initStatuses = records(status['initContainerStatuses']);
  const initTotal = records(spec['initContainers']).length;
  let initializing = false;
  for (const [index, container] of initStatuses.entries()) {
    const state = record(container['state']);
    const terminated = state['terminated'];
    const isSidecar = sidecars.has(container['name']);
    countRestart(container);
    if (terminated !== undefined && Number(record(terminated)['exitCode']) === 0) continue;
    if (isSidecar && container['started'] === true) {
      if (container['ready'] === true) ready += 1;
      continue;
    }
    if (terminated !== undefined) reason = `Init:${terminatedWord(record(terminated))}`;
    else {
      const waiting = record(state['waiting'])['reason'];
      reason =
        waiting !== undefined && waiting !== '' && waiting !== 'PodInitializing'
          ? `Init:${waiting}`
          : `Init:${index}/${initTotal}`;
    }
    initializing = true;
    break;
  }

  if (!initializing) {
    let running = false;
    restarts = sidecars.size === 0 ? 0 : restarts;
    for (const container of records(status['containerStatuses']).reverse()) {
      const state = record(container['state']);
      countRestart(container);
      const waiting = record(state['waiting'])['reason'];
      if (waiting !== undefined && waiting !== '') reason = String(waiting);
      else if (state['terminated'] !== undefined) reason = terminatedWord(record(state['terminated']));
      else if (container['ready'] === true && state['running'] !== undefined) {
        running = true;
        ready += 1;
      }
    }
    if (reason === 'Completed' && running) reason = isReady(status) ? 'Running' : 'NotReady';
  }

  if (pod.metadata?.deletionTimestamp !== undefined) reason = 'Terminating';
  return { status: reason, ready, total: records(spec['containers']).length + sidecars.size, restarts, lastRestart };
}

function terminatedWord(terminated: Record<string, unknown>): string {
  const reason = terminated['reason'];
  if (reason !== undefined && reason !== '') return String(reason);
  const signal = Number(terminated['signal'] ?? 0);
  return signal === 0 ? `ExitCode:${terminated['exitCode'] ?? 0}` : `Signal:${signal}`;
}

function isReady(status: Record<string, unknown>): boolean {
  return records(status['conditions']).some((one) => one['type'] === 'Ready' && one['status'] === 'True');
}

const orNone = (value: unknown): string => (value === undefined || value === '' ? '<none>' : String(value));

function readinessGates(pod: KubeObject): string {
  const gates = records(record(pod['spec'])['readinessGates']);
  if (gates.length === 0) return '<none>';
  const conditions = records(record(pod['status'])['conditions']);
  const met = gates.filter((gate) =>
    conditions.some((one) => one['type'] === gate['conditionType'] && one['status'] === 'True'),
  );
  return `${met.length}/${gates.length}`;
}

export const podColumns: readonly Column[] = [
  nameColumn,
  {
    name: 'Ready',
    type: 'string',
    description: 'Containers that are ready, of all.',
    cell: (pod) => {
      const { ready, total } = podSummary(pod);
      return `${ready}/${total}`;
    },
  },
  {
    name: 'Status',
    type: 'string',
    description: 'What the pod is doing, or why it is not.',
    cell: (pod) => podSummary(pod).status,
  },
  {
    name: 'Restarts',
    type: 'string',
    description: 'How often its containers were restarted, and when last.',
    cell: (pod, now) => {
      const { restarts, lastRestart } = podSummary(pod);
      return restarts === 0 || lastRestart === undefined
        ? `${restarts}`
        : `${restarts} (${humanDuration(now.getTime() - lastRestart)} ago)`;
    },
  },
  ageColumn,
  {
    name: 'IP',
    type: 'string',
    description: 'Address of the pod.',
    priority: 1,
    cell: (pod) => orNone(record(pod['status'])['podIP']),
  },
  {
    name: 'Node',
    type: 'string',
    description: 'Node that runs it.',
    priority: 1,
    cell: (pod) => orNone(record(pod['spec'])['nodeName']),
  },
  {
    name: 'Nominated Node',
    type: 'string',
    description: 'Node that is being made free for it.',
    priority: 1,
    cell: (pod) => orNone(record(pod['status'])['nominatedNodeName']),
  },
  {
    name: 'Readiness Gates',
    type: 'string',
    description: 'Extra conditions it waits for.',
    priority: 1,
    cell: readinessGates,
  },
];
