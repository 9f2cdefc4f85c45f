// operators.coreos.com/v1alpha1 Subscription: an operator that the Operator Lifecycle Manager would install.
import { pathColumn } from '../row.ts';
import { anything, oneOfWords, str } from '../schema.ts';
import { openObject, storedRow } from '../stored-row.ts';

export const subscriptionRow = storedRow(
  {
    group: 'operators.coreos.com',
    kind: 'Subscription',
    plural: 'subscriptions',
    shortNames: ['sub', 'subs'],
    categories: ['olm'],
    versions: ['v1alpha1'],
  },
  openObject(
    {
      channel: str('Channel of the operator.'),
      name: str('Name of the operator.'),
      source: str('Catalog the operator is in.'),
      sourceNamespace: str('Namespace of the catalog.'),
      startingCSV: str(),
      installPlanApproval: oneOfWords(['Automatic', 'Manual']),
      config: anything(),
    },
    ['name', 'source', 'sourceNamespace'],
    'Which operator is wanted.',
  ),
  [
    pathColumn('Package', '.spec.name', 'Name of the operator.'),
    pathColumn('Source', '.spec.source', 'Catalog it is in.'),
    pathColumn('Channel', '.spec.channel', 'Channel of it.'),
  ],
);
