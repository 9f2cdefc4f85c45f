// admissionregistration.k8s.io/v1: webhooks that would be asked before an object is stored. They are not called here.
import { records } from '../pod-template.ts';
import { ageColumn, type KindRow, nameColumn } from '../row.ts';
import { anything, int, listBy, obj, str } from '../schema.ts';

const row = (kind: string, plural: string): KindRow => ({
  group: 'admissionregistration.k8s.io',
  kind,
  plural,
  categories: ['api-extensions'],
  namespaced: false,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  notice: 'webhooks are not called here: injection and validation are built in',
  schema: obj({
    webhooks: listBy('name', {
      ...obj(
        {
          name: str('Fully qualified name.'),
          clientConfig: anything('How it is reached.'),
          failurePolicy: str('Ignore or Fail.', { default: 'Fail' }),
          sideEffects: str(),
          timeoutSeconds: int(undefined, { default: 10 }),
        },
        ['name', 'clientConfig'],
      ),
      // Which requests it is for; nobody looks.
      'x-kubernetes-preserve-unknown-fields': true,
    }),
  }),
  columns: [
    nameColumn,
    {
      name: 'Webhooks',
      type: 'integer',
      description: 'How many there are.',
      cell: (object) => records(object['webhooks']).length,
    },
    ageColumn,
  ],
});

export const mutatingWebhookRow = row('MutatingWebhookConfiguration', 'mutatingwebhookconfigurations');
export const validatingWebhookRow = row('ValidatingWebhookConfiguration', 'validatingwebhookconfigurations');
