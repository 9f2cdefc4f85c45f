// OpenAPI v3 documents, one per group and version: kubectl validates, merges and explains with them.
import { createHash } from 'node:crypto';
import { apiVersionOf } from '../kinds/kind.ts';
import type { KindRow } from '../kinds/row.ts';
import { type Fields, type Schema, str } from '../kinds/schema.ts';
import { objectMeta } from '../kinds/schemas/meta.ts';
import type { KindRegistry } from './kind-registry.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const INT_OR_STRING = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';
const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';

/** Keeps the documents until the kinds change. */
export class OpenApi {
  readonly #registry: KindRegistry;
  #documents = new Map<string, string>();
  #generation = -1;

  constructor(registry: KindRegistry) {
    this.#registry = registry;
  }

  /** GET /openapi/v3 */
  index(): object {
    const paths = [...this.#current()].map(([path, text]) => {
      const hash = createHash('sha256').update(text).digest('hex').slice(0, 32).toUpperCase();
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
    });
    return { paths: Object.fromEntries(paths) };
  }

  /** GET /openapi/v3/PATH, as JSON text. */
  document(path: string): string | undefined {
    return this.#current().get(path);
  }

  #current(): Map<string, string> {
    if (this.#generation !== this.#registry.generation) {
      this.#generation = this.#registry.generation;
      this.#documents = new Map(
        this.#registry.groups().flatMap((group) =>
          group.versions.map(({ name, rows }): [string, string] => {
            const path = group.name === '' ? `api/${name}` : `apis/${group.name}/${name}`;
            return [path, JSON.stringify(documentOf(path, name, rows))];
          }),
        ),
      );
    }
    return this.#documents;
  }
}

function documentOf(path: string, version: string, rows: readonly KindRow[]): object {
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1' },
    paths: Object.assign({}, ...rows.map((row) => pathsOf(`/${path}`, row, version))),
    components: {
      schemas: {
        [META]: published(objectMeta),
        [INT_OR_STRING]: {
          description: 'A number or a text.',
          format: 'int-or-string',
          oneOf: [{ type: 'integer' }, { type: 'string' }],
        },
        [QUANTITY]: { description: 'An amount, such as 100m or 1Gi.', oneOf: [{ type: 'string' }, { type: 'number' }] },
        ...Object.fromEntries(rows.map((row) => [schemaName(row, version), kindSchema(row, version)])),
      },
    },
  };
}

function schemaName(row: KindRow, version: string): string {
  const group =
    row.group === ''
      ? 'io.k8s.api.core'
      : row.group === 'apps'
        ? 'io.k8s.api.apps'
        : row.group.split('.').reverse().join('.');
  return `${group}.${version}.${row.kind}`;
}

/** The full schema of an object of this kind, as requests are checked against. */
export function fullSchema(row: KindRow, version: string): Schema {
  const own = row.versionSchemas?.[version] ?? row.schema;
  const fields: Fields = {
    apiVersion: str('Version of the schema of this object.'),
    kind: str('Kind of this object.'),
    metadata: objectMeta,
  };
  return { ...own, type: 'object', properties: { ...own.properties, ...fields } };
}

function kindSchema(row: KindRow, version: string): object {
  const { properties = {}, ...rest } = published(fullSchema(row, version)) as { properties?: Record<string, unknown> };
  return {
    ...rest,
    properties: {
      ...properties,
      metadata: {
        description: 'Standard object metadata.',
        allOf: [{ $ref: `#/components/schemas/${META}` }],
        default: {},
      },
    },
    'x-kubernetes-group-version-kind': [gvk(row, version)],
  };
}

const gvk = (row: KindRow, version: string) => ({ group: row.group, kind: row.kind, version });

/** Our schemas as Kubernetes publishes them. */
function published(schema: Schema): object {
  const { properties, items, additionalProperties, oneOf, anyOf, allOf, not, ...rest } = schema;
  const lists = { oneOf, anyOf, allOf };
  const combined = Object.entries(lists).filter(([, parts]) => parts !== undefined);
  if (schema['x-kubernetes-int-or-string'] === true && combined.length === 0) {
    // Kubernetes publishes these as types of their own, and kubectl explain prints their names.
    const { 'x-kubernetes-int-or-string': _, format, ...plain } = rest;
    return { ...plain, allOf: [{ $ref: `#/components/schemas/${format === 'quantity' ? QUANTITY : INT_OR_STRING}` }] };
  }
  return {
    ...rest,
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([key, one]) => [key, published(one)])) }),
    ...(items === undefined ? {} : { items: published(items) }),
    ...(additionalProperties === undefined
      ? {}
      : {
          additionalProperties:
            typeof additionalProperties === 'object' ? published(additionalProperties) : additionalProperties,
        }),
    ...Object.fromEntries(combined.map(([key, parts]) => [key, (parts ?? []).map(published)])),
    ...(not === undefined ? {} : { not: published(not) }),
  };
}

const query = (name: string, description: string) => ({
  name,
  in: 'query',
  description,
  schema: { type: 'string', uniqueItems: true },
});

const DRY_RUN = query('dryRun', 'All: check only, store nothing.');
const FIELD_MANAGER = query('fieldManager', 'Who makes the change.');
const FIELD_VALIDATION = query('fieldValidation', 'What to do about unknown fields: Ignore, Warn or Strict.');
const WRITE = [DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION];

function pathsOf(prefix: string, row: KindRow, version: string): object {
  const reference = { $ref: `#/components/schemas/${schemaName(row, version)}` };
  const content = { 'application/json': { schema: reference } };
  const scope = row.namespaced ? '/namespaces/{namespace}' : '';
  const id = `${apiVersionOf({ group: row.group, version })}${row.kind}`.replace(/[^A-Za-z0-9]/g, '');
  const operation = (action: string, name: string, extra: object) => ({
    operationId: `${name}${id}`,
    responses: { 200: { description: 'OK', content } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk(row, version),
    ...extra,
  });
  const pathParameter = (name: string) => ({ name, in: 'path', required: true, schema: { type: 'string' } });
  const namespaced = row.namespaced ? [pathParameter('namespace')] : [];
  const post = operation('post', 'create', { parameters: WRITE, requestBody: { required: true, content } });
  if (row.transient === true) return { [`${prefix}${scope}/${row.plural}`]: { post, parameters: namespaced } };
  return {
    [`${prefix}${scope}/${row.plural}`]: {
      get: operation('list', 'list', {
        parameters: [query('labelSelector', 'Selects by labels.'), query('fieldSelector', 'Selects by fields.')],
      }),
      post,
      parameters: namespaced,
    },
    [`${prefix}${scope}/${row.plural}/{name}`]: {
      get: operation('get', 'read', {}),
      put: operation('put', 'replace', { parameters: WRITE, requestBody: { required: true, content } }),
      patch: operation('patch', 'patch', {
        parameters: WRITE,
        requestBody: { required: true, content: { 'application/merge-patch+json': { schema: { type: 'object' } } } },
      }),
      delete: operation('delete', 'delete', { parameters: [DRY_RUN] }),
      parameters: [...namespaced, pathParameter('name')],
    },
  };
}
