// From a request's body to an object that may be stored: decoding, defaults, unknown fields, validation.
import { conform, isRecord, type TypeMismatch, typeCause } from '../kinds/conform.ts';
import { apiVersionOf } from '../kinds/kind.ts';
import {
  annotationProblems,
  invalid,
  labelProblems,
  nameProblems,
  qualifiedNameProblems,
  required,
} from '../kinds/names.ts';
import { records, strings } from '../kinds/pod-template.ts';
import type { KindRow } from '../kinds/row.ts';
import type { Schema } from '../kinds/schema.ts';
import type { KubeObject, StatusCause } from '../object.ts';
import { StatusError } from '../status-error.ts';
import { fullSchema } from './openapi.ts';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** Unknown fields are named up to here; a thousand lines help nobody. */
const UNKNOWN_SHOWN = 20;

const schemas = new WeakMap<KindRow, Map<string, Schema>>();

export function schemaOf(row: KindRow, version: string): Schema {
  const versions = schemas.get(row) ?? new Map<string, Schema>();
  schemas.set(row, versions);
  const schema = versions.get(version) ?? fullSchema(row, version);
  versions.set(version, schema);
  return schema;
}

export interface Decoded {
  /** A copy that nobody else holds, pruned, and defaulted unless asked otherwise; without managedFields. */
  readonly object: KubeObject;
  readonly causes: readonly StatusCause[];
}

/** Throws for what Kubernetes refuses while decoding; the causes are for the validation that follows. */
export function decodeObject(
  row: KindRow,
  version: string,
  body: unknown,
  validation: FieldValidation,
  warnings: string[],
  { defaults = true } = {},
): Decoded {
  if (!isRecord(body))
    throw StatusError.badRequest(`the request body must be a ${row.kind} object, not ${describe(body)}`);
  checkType(row, version, body);
  const result = conform(schemaOf(row, version), body, { defaults });
  const [mismatch] = result.mismatches;
  const mismatchCauses: StatusCause[] = [];
  if (mismatch !== undefined) {
    if (row.decoding === 'native') throw wrongType(row, version, mismatch);
    for (const one of result.mismatches)
      mismatchCauses.push({ reason: 'FieldValueTypeInvalid', field: one.path, message: typeCause(one) });
  }
  reportUnknown(row, version, result.unknown, validation, warnings);
  const object = result.value as KubeObject;
  object.apiVersion = apiVersionOf({ group: row.group, version });
  object.kind = row.kind;
  const { managedFields: _, selfLink: __, ...metadata } = object.metadata ?? {};
  object.metadata = metadata;
  const { apiVersion, kind, metadata: meta, ...rest } = object;
  return { object: { apiVersion, kind, metadata: meta, ...rest }, causes: [...mismatchCauses, ...result.causes] };
}

function checkType(row: KindRow, version: string, body: Record<string, unknown>): void {
  const expected = apiVersionOf({ group: row.group, version });
  const { apiVersion = expected, kind = row.kind } = body;
  if (apiVersion !== expected) {
    throw StatusError.badRequest(
      `the API version in the data (${String(apiVersion)}) does not match the expected API version (${expected})`,
    );
  }
  if (kind !== row.kind) {
    throw StatusError.badRequest(
      `the kind in the data (${String(kind)}) does not match the expected kind (${row.kind})`,
    );
  }
}

function wrongType(row: KindRow, version: string, mismatch: TypeMismatch): StatusError {
  return StatusError.badRequest(
    `${row.kind} in version "${version}" cannot be handled as a ${row.kind}: json: cannot unmarshal ${mismatch.got} into Go struct field ${row.kind}.${mismatch.path} of type ${mismatch.expected}`,
  );
}

function reportUnknown(
  row: KindRow,
  version: string,
  unknown: readonly string[],
  validation: FieldValidation,
  warnings: string[],
): void {
  if (unknown.length === 0 || validation === 'Ignore') return;
  const texts = unknown.slice(0, UNKNOWN_SHOWN).map((path) => `unknown field "${path}"`);
  if (unknown.length > UNKNOWN_SHOWN) texts.push(`and ${unknown.length - UNKNOWN_SHOWN} more`);
  if (validation === 'Warn' || row.decoding === 'lenient') warnings.push(...texts);
  else {
    throw StatusError.badRequest(
      `${row.kind} in version "${version}" cannot be handled as a ${row.kind}: strict decoding error: ${texts.join(', ')}`,
    );
  }
}

/** Name, labels, annotations, finalizers and owners. */
export function metadataProblems(row: KindRow, object: KubeObject): StatusCause[] {
  const { name = '', generateName, labels, annotations, finalizers = [], ownerReferences = [] } = object.metadata ?? {};
  const causes: StatusCause[] = [];
  if (name === '') causes.push(required('metadata.name', 'name or generateName is required'));
  else {
    const field =
      generateName === undefined || generateName === '' || !name.startsWith(generateName)
        ? 'metadata.name'
        : 'metadata.generateName';
    causes.push(...nameProblems(name, row.rules?.nameFormat ?? 'subdomain').map((why) => invalid(field, name, why)));
  }
  causes.push(
    ...labelProblems(strings(labels), 'metadata.labels'),
    ...annotationProblems(strings(annotations), 'metadata.annotations'),
  );
  for (const [index, finalizer] of finalizers.entries()) {
    causes.push(
      ...qualifiedNameProblems(finalizer).map((why) => invalid(`metadata.finalizers[${index}]`, finalizer, why)),
    );
  }
  for (const [index, owner] of records(ownerReferences).entries()) {
    for (const field of ['apiVersion', 'kind', 'name', 'uid']) {
      if (owner[field] === '') causes.push(required(`metadata.ownerReferences[${index}].${field}`));
    }
  }
  if (ownerReferences.filter((owner) => owner.controller === true).length > 1) {
    causes.push(
      invalid('metadata.ownerReferences', ownerReferences, 'Only one reference can have Controller set to true'),
    );
  }
  return causes;
}

function describe(value: unknown): string {
  if (value === undefined) return 'empty';
  return Array.isArray(value) ? 'a list' : JSON.stringify(value).slice(0, 40);
}
