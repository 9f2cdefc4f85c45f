// extensions/v1beta1 Deployment, as manifests before Kubernetes 1.16 have it: apps/v1's, with an optional selector.
import { record } from '../pod-template.ts';
import type { KindRow } from '../row.ts';
import { obj, type Schema } from '../schema.ts';
import { deploymentRow } from './deployment.ts';

const { spec = {}, status = {} } = deploymentRow.schema.properties ?? {};
const { required: _, ...fields }: Schema = spec;
/** Without the names that would find every deployment twice. */
const { categories: __, shortNames: ___, ...row } = deploymentRow;

export const legacyDeploymentRow: KindRow = {
  ...row,
  group: 'extensions',
  versions: ['v1beta1'],
  storageVersion: 'v1beta1',
  schema: obj({ spec: { ...fields, required: ['template'] }, status }),
  view: {
    of: deploymentRow,
    show: (object) => ({ ...object }),
    keep(object) {
      const { selector, ...rest } = record(object['spec']);
      const labels = record(record(rest['template'])['metadata'])['labels'];
      return { ...object, spec: { ...rest, selector: selector ?? { matchLabels: labels ?? {} } } };
    },
  },
};
