// OpenShift's ProjectRequest: `oc new-project` asks for a namespace with it.
import { record } from '../kinds/pod-template.ts';
import { projectRow } from '../kinds/rows/project.ts';
import type { KubeObject } from '../object.ts';
import type { WriteOptions } from './write-options.ts';
import type { Writer } from './writer.ts';

export function requestProject(writer: Writer, request: KubeObject, options: WriteOptions): Promise<KubeObject> {
  const { displayName, description } = record(request);
  const annotations = {
    ...request.metadata?.annotations,
    ...(typeof displayName === 'string' ? { 'openshift.io/display-name': displayName } : {}),
    ...(typeof description === 'string' ? { 'openshift.io/description': description } : {}),
  };
  return writer.create({ row: projectRow, version: 'v1' }, { metadata: { ...request.metadata, annotations } }, options);
}
