// apiextensions.k8s.io/v1 CustomResourceDefinition: how a user adds a kind while the server runs.
import type { KubeObject, StatusCause } from '../../object.ts';
import { invalid, nameProblems, required } from '../names.ts';
import { record, records } from '../pod-template.ts';
import { type KindRow, nameColumn } from '../row.ts';
import { anything, bool, int, int64, list, listBy, obj, oneOfWords, str } from '../schema.ts';
import { condition } from '../schemas/meta.ts';

const names = obj(
  {
    plural: str('Name in URLs, in lower case.'),
    singular: str('Name for one, in lower case; the kind unless given.'),
    kind: str('Name in manifests, in CamelCase.'),
    listKind: str('Name of a list; the kind and "List" unless given.'),
    shortNames: list(str(), 'Short forms for the command line.'),
    categories: list(str(), 'Groups it belongs to, such as all.'),
  },
  ['plural', 'kind'],
);

const column = obj(
  {
    name: str(),
    type: oneOfWords(['string', 'integer', 'number', 'boolean', 'date']),
    format: str(),
    description: str(),
    priority: int(),
    jsonPath: str('Where the value is in the object.'),
  },
  ['jsonPath', 'name', 'type'],
);

const version = obj(
  {
    name: str('Such as v1.'),
    served: bool('Whether it can be asked for.'),
    storage: bool('Whether objects are kept in it; true for exactly one.'),
    deprecated: bool(),
    deprecationWarning: str(),
    schema: obj({ openAPIV3Schema: anything('The OpenAPI v3 schema of the kind.') }),
    subresources: obj({
      status: anything(),
      scale: obj({ specReplicasPath: str(), statusReplicasPath: str(), labelSelectorPath: str() }, [
        'specReplicasPath',
        'statusReplicasPath',
      ]),
    }),
    additionalPrinterColumns: list(column),
    selectableFields: list(obj({ jsonPath: str() }, ['jsonPath'])),
  },
  ['name', 'served', 'storage'],
);

export const customResourceDefinitionRow: KindRow = {
  group: 'apiextensions.k8s.io',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  namespaced: false,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  subresources: { status: true },
  schema: obj(
    {
      spec: obj(
        {
          group: str('API group of the kind.'),
          names,
          scope: oneOfWords(['Namespaced', 'Cluster'], 'Whether its objects live in namespaces.'),
          versions: list(version, 'Versions it is served in.'),
          conversion: obj({ strategy: oneOfWords(['None', 'Webhook']), webhook: anything() }),
          preserveUnknownFields: bool(),
        },
        ['group', 'names', 'scope', 'versions'],
      ),
      status: obj({
        conditions: listBy('type', condition()),
        acceptedNames: names,
        storedVersions: list(str()),
        observedGeneration: int64(),
      }),
    },
    ['spec'],
  ),
  columns: [
    nameColumn,
    {
      name: 'Created At',
      type: 'date',
      description: 'When it was created.',
      cell: (object) => object.metadata?.creationTimestamp,
    },
  ],
  rules: { prepareCreate: setDefaults, prepareUpdate: setDefaults, validate: problems },
};

function setDefaults(draft: KubeObject): void {
  const spec = record(draft['spec']);
  const given = record(spec['names']);
  const kind = String(given['kind'] ?? '');
  given['singular'] ??= kind.toLowerCase();
  given['listKind'] ??= `${kind}List`;
  spec['conversion'] ??= { strategy: 'None' };
}

function problems(definition: KubeObject): StatusCause[] {
  const spec = record(definition['spec']);
  const given = record(spec['names']);
  const causes: StatusCause[] = [];
  const name = definition.metadata?.name ?? '';
  if (name !== `${given['plural']}.${spec['group']}`) {
    causes.push(invalid('metadata.name', name, `must be spec.names.plural+"."+spec.group`));
  }
  causes.push(
    ...nameProblems(String(spec['group'] ?? ''), 'subdomain').map((why) => invalid('spec.group', spec['group'], why)),
  );
  causes.push(
    ...nameProblems(String(given['plural'] ?? ''), 'label1035').map((why) =>
      invalid('spec.names.plural', given['plural'], why),
    ),
  );
  const versions = records(spec['versions']);
  if (versions.filter((one) => one['storage'] === true).length !== 1) {
    causes.push(
      invalid(
        'spec.versions',
        versions.map((one) => one['name']),
        'must have exactly one version marked as storage version',
      ),
    );
  }
  for (const [index, one] of versions.entries()) {
    if (record(one['schema'])['openAPIV3Schema'] === undefined) {
      causes.push(required(`spec.versions[${index}].schema.openAPIV3Schema`, 'schemas are required'));
    }
  }
  if (record(spec['conversion'])['strategy'] === 'Webhook') {
    causes.push(
      invalid(
        'spec.conversion.strategy',
        'Webhook',
        'this server converts custom resources by their apiVersion only; use None',
      ),
    );
  }
  return causes;
}
