// Which of a pod's containers a request is about when it does not say, as the API server of Kubernetes decides it.
import { record, records } from '../kinds/pod-template.ts';
import type { KubeObject } from '../object.ts';
import { StatusError } from '../status-error.ts';

/** `asked` is '' when none was named. Throws a StatusError. */
export function containerOf(pod: KubeObject, asked: string): string {
  const spec = record(pod['spec']);
  const name = pod.metadata?.name ?? '';
  const own = records(spec['containers']).map((one) => String(one['name']));
  const init = records(spec['initContainers']).map((one) => String(one['name']));
  if (asked !== '') {
    if (own.includes(asked) || init.includes(asked)) return asked;
    throw StatusError.badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  const preferred = pod.metadata?.annotations?.['kubectl.kubernetes.io/default-container'];
  if (preferred !== undefined && own.includes(preferred)) return preferred;
  if (own.length === 1 && own[0] !== undefined) return own[0];
  const initText = init.length === 0 ? '' : ` or one of the init containers: [${init.join(' ')}]`;
  throw StatusError.badRequest(
    `a container name must be specified for pod ${name}, choose one of: [${own.join(' ')}]${initText}`,
  );
}
