// GET /openapi/v2, for kubectl up to 1.28: it reads protobuf only, and only whether fields are validated by the server.
// Message layout: gnostic's OpenAPIv2.proto. Schemas are in the v3 documents.
import { apiVersionOf } from '../kinds/kind.ts';
import type { KindRow } from '../kinds/row.ts';
import type { KindRegistry } from './kind-registry.ts';
import { VERSION } from './version.ts';

/** With a point where clients ask with an @: that one is no proper media type, and clients trip over it. */
export const OPENAPI_V2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** Says of every kind that PATCH takes fieldValidation and dryRun. */
export function openApiV2(registry: KindRegistry): Buffer {
  const paths = registry.rows().flatMap((row) => row.versions.map((version) => pathItem(row, version)));
  return message(
    text(1, '2.0'),
    bytes(2, message(text(1, 'Kubernetes'), text(2, VERSION.gitVersion))),
    bytes(8, message(...paths.map((path) => bytes(2, path)))),
  );
}

function pathItem(row: KindRow, version: string): Buffer {
  const root = row.group === '' ? '/api' : '/apis';
  const scope = row.namespaced ? '/namespaces/{namespace}' : '';
  const extension = message(
    text(1, 'x-kubernetes-group-version-kind'),
    // JSON is YAML.
    bytes(2, message(text(2, JSON.stringify({ group: row.group, kind: row.kind, version })))),
  );
  const operation = message(
    ...['dryRun', 'fieldValidation'].map((name) => bytes(8, queryParameter(name))),
    bytes(13, extension),
  );
  return message(
    text(1, `${root}/${apiVersionOf({ group: row.group, version })}${scope}/${row.plural}/{name}`),
    bytes(2, message(bytes(8, operation))),
  );
}

/** ParametersItem → Parameter → NonBodyParameter → QueryParameterSubSchema. */
function queryParameter(name: string): Buffer {
  const parameter = message(text(2, 'query'), text(4, name), text(6, 'string'));
  return bytes(1, bytes(2, bytes(3, parameter)));
}

const message = (...fields: readonly Buffer[]): Buffer => Buffer.concat(fields);
const text = (number: number, value: string): Buffer => bytes(number, Buffer.from(value));

/** A length-delimited field. */
function bytes(number: number, value: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(value.length), value]);
}

function varint(value: number): Buffer {
  const result: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    result.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return Buffer.from([...result, rest]);
}
