// Holds a value against a schema: types, limits, defaults, and fields the schema does not know.
import { RE2JS } from 're2js';
import type { StatusCause } from '../object.ts';
import { parseGoDuration } from './go-duration.ts';
import type { Schema } from './schema.ts';

/** A value of the wrong JSON type: Kubernetes refuses these while decoding, before validation. */
export interface TypeMismatch {
  readonly path: string;
  readonly expected: string;
  readonly got: string;
}

export interface Conformed {
  /** A copy, with defaults filled in and unknown fields left out. */
  readonly value: unknown;
  readonly mismatches: readonly TypeMismatch[];
  readonly causes: readonly StatusCause[];
  /** Paths of fields that the schema does not know. */
  readonly unknown: readonly string[];
}

/** Without `defaults` the copy holds only what is given. */
export function conform(schema: Schema, value: unknown, { defaults = true } = {}): Conformed {
  const walk = new Walk(defaults);
  const copy = walk.visit(schema, value, '');
  return { value: copy, mismatches: walk.mismatches, causes: walk.causes, unknown: walk.unknown };
}

/** `spec.http[0].weight`; a map key that is not a plain word is put in brackets, as Kubernetes prints it. */
export function fieldPath(parent: string, key: string | number): string {
  if (typeof key === 'number') return `${parent}[${key}]`;
  if (!/^[A-Za-z_$][\w$-]*$/.test(key)) return `${parent}[${key}]`;
  return parent === '' ? key : `${parent}.${key}`;
}

const INT32_MAX = 2147483647;

class Walk {
  readonly mismatches: TypeMismatch[] = [];
  readonly causes: StatusCause[] = [];
  readonly unknown: string[] = [];
  readonly #defaults: boolean;

  constructor(defaults: boolean) {
    this.#defaults = defaults;
  }

  visit(schema: Schema, value: unknown, path: string): unknown {
    if (schema['x-kubernetes-int-or-string'] === true) return this.#intOrString(schema, value, path);
    const expected = schema.type;
    if (expected !== undefined && !isType(expected, value)) {
      this.mismatches.push({ path, expected: schema.format ?? expected, got: typeName(value) });
      return value;
    }
    let copy = value;
    if (Array.isArray(value)) copy = this.#array(schema, value, path);
    else if (isRecord(value)) copy = this.#object(schema, value, path);
    this.#limits(schema, value, path);
    return copy;
  }

  #object(schema: Schema, value: Record<string, unknown>, path: string): Record<string, unknown> {
    const copy: Record<string, unknown> = {};
    const properties = schema.properties;
    const keepUnknown =
      schema['x-kubernetes-preserve-unknown-fields'] === true ||
      (properties === undefined && schema.additionalProperties === undefined);
    for (const [key, field] of Object.entries(value)) {
      const known = properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined;
      const below =
        known ?? (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined);
      if (key === '__proto__') {
        // Never a field of any kind; assigning it would change the copy's prototype.
        this.unknown.push(fieldPath(path, key));
      } else if (below !== undefined) {
        // A null means "not set" (Kubernetes' JSON decoding), unless the schema gives null a meaning.
        if (field !== null) copy[key] = this.visit(below, field, fieldPath(path, key));
        else if (below.nullable === true) copy[key] = null;
      } else if (keepUnknown || schema.additionalProperties === true) {
        copy[key] = field;
      } else if (
        schema['x-kubernetes-embedded-resource'] === true &&
        (key === 'apiVersion' || key === 'kind' || key === 'metadata')
      ) {
        copy[key] = field;
      } else {
        this.unknown.push(fieldPath(path, key));
      }
    }
    for (const [key, below] of Object.entries(properties ?? {})) {
      if (this.#defaults && copy[key] === undefined && below.default !== undefined) {
        // Visited so that defaults below a default apply too (structural defaulting).
        copy[key] = this.visit(below, structuredClone(below.default), fieldPath(path, key));
      }
    }
    for (const key of schema.required ?? []) {
      if (copy[key] === undefined) {
        this.causes.push({ reason: 'FieldValueRequired', message: 'Required value', field: fieldPath(path, key) });
      }
    }
    return copy;
  }

  #array(schema: Schema, value: readonly unknown[], path: string): unknown[] {
    const items = schema.items;
    if (items === undefined) return [...value];
    return value.map((item, index) =>
      item === null && items.nullable === true ? null : this.visit(items, item, fieldPath(path, index)),
    );
  }

  #intOrString(schema: Schema, value: unknown, path: string): unknown {
    if (
      typeof value !== 'string' &&
      !(typeof value === 'number' && (schema.format === 'quantity' || Number.isInteger(value)))
    ) {
      this.mismatches.push({ path, expected: 'integer or string', got: typeName(value) });
      return value;
    }
    if (schema.format === 'quantity') {
      const text = String(value);
      if (!QUANTITY.test(text)) {
        this.#invalid(
          path,
          value,
          "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        );
      }
      return text;
    }
    this.#limits(schema, value, path);
    return value;
  }

  #invalid(path: string, value: unknown, why: string): void {
    this.causes.push({ reason: 'FieldValueInvalid', message: `Invalid value: ${shown(value)}: ${why}`, field: path });
  }

  #limits(schema: Schema, value: unknown, path: string): void {
    if (schema.enum !== undefined && !schema.enum.some((word) => same(word, value))) {
      const words = schema.enum.map((word) => JSON.stringify(word)).join(', ');
      this.causes.push({
        reason: 'FieldValueNotSupported',
        message: `Unsupported value: ${shown(value)}: supported values: ${words}`,
        field: path,
      });
    }
    if (typeof value === 'string') this.#stringLimits(schema, value, path);
    else if (typeof value === 'number') this.#numberLimits(schema, value, path);
    else if (Array.isArray(value)) {
      if (value.length < (schema.minItems ?? 0))
        this.#invalid(path, value.length, `${path} in body should have at least ${schema.minItems} items`);
      if (value.length > (schema.maxItems ?? Number.POSITIVE_INFINITY)) {
        this.causes.push({
          reason: 'FieldValueTooMany',
          message: `Too many: ${value.length}: must have at most ${schema.maxItems} items`,
          field: path,
        });
      }
      if (schema.uniqueItems === true && new Set(value.map((item) => JSON.stringify(item))).size !== value.length) {
        this.#invalid(path, value, `${path} in body shouldn't contain duplicates`);
      }
    } else if (isRecord(value)) {
      const count = Object.keys(value).length;
      if (count < (schema.minProperties ?? 0))
        this.#invalid(path, count, `${path} in body should have at least ${schema.minProperties} properties`);
      if (count > (schema.maxProperties ?? Number.POSITIVE_INFINITY))
        this.#invalid(path, count, `${path} in body should have at most ${schema.maxProperties} properties`);
    }
    this.#combinations(schema, value, path);
  }

  #stringLimits(schema: Schema, value: string, path: string): void {
    if (value.length < (schema.minLength ?? 0))
      this.#invalid(path, value, `${path} in body should be at least ${schema.minLength} chars long`);
    if (value.length > (schema.maxLength ?? Number.POSITIVE_INFINITY)) {
      this.causes.push({
        reason: 'FieldValueTooLong',
        message: `Too long: may not be more than ${schema.maxLength} bytes`,
        field: path,
      });
    }
    if (schema.pattern !== undefined && !matcherOf(schema.pattern).matcher(value).find()) {
      this.#invalid(path, value, `${path} in body should match '${schema.pattern}'`);
    }
    if (
      schema.format === 'date-time' &&
      (Number.isNaN(Date.parse(value)) || !/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d/.test(value))
    ) {
      this.#invalid(path, value, `${path} in body must be of type date-time: ${JSON.stringify(value)}`);
    }
    if (schema.format === 'go-duration' && parseGoDuration(value) === undefined) {
      this.#invalid(path, value, 'must be a valid duration, such as "10s", "1.5m" or "500ms"');
    }
  }

  #numberLimits(schema: Schema, value: number, path: string): void {
    if (schema.format === 'int32' && Math.abs(value) > INT32_MAX + 1)
      this.mismatches.push({ path, expected: 'int32', got: `number ${value}` });
    const { minimum, maximum } = schema;
    if (minimum !== undefined && (schema.exclusiveMinimum === true ? value <= minimum : value < minimum)) {
      this.#invalid(
        path,
        value,
        `${path} in body should be greater than ${schema.exclusiveMinimum === true ? '' : 'or equal to '}${minimum}`,
      );
    }
    if (maximum !== undefined && (schema.exclusiveMaximum === true ? value >= maximum : value > maximum)) {
      this.#invalid(
        path,
        value,
        `${path} in body should be less than ${schema.exclusiveMaximum === true ? '' : 'or equal to '}${maximum}`,
      );
    }
    if (schema.multipleOf !== undefined && !Number.isInteger(value / schema.multipleOf)) {
      this.#invalid(path, value, `${path} in body should be a multiple of ${schema.multipleOf}`);
    }
  }

  #combinations(schema: Schema, value: unknown, path: string): void {
    const where = path === '' ? '<nil>' : path;
    for (const part of schema.allOf ?? []) this.causes.push(...trial(part, value, path));
    if (schema.anyOf !== undefined && !schema.anyOf.some((part) => trial(part, value, path).length === 0)) {
      this.#invalid(path, value, `"${where}" must validate at least one schema (anyOf)`);
    }
    if (schema.oneOf !== undefined) {
      const valid = schema.oneOf.filter((part) => trial(part, value, path).length === 0).length;
      if (valid !== 1) {
        const found = valid === 0 ? 'none' : `${valid}`;
        this.#invalid(
          path,
          value,
          `"${where}" must validate one and only one schema (oneOf). Found ${found} valid alternatives`,
        );
      }
    }
    if (schema.not !== undefined && trial(schema.not, value, path).length === 0) {
      this.#invalid(path, value, `"${where}" must not validate the schema (not)`);
    }
  }
}

/** What would be wrong with the value under a sub-schema of anyOf and its kin; these neither default nor prune. */
function trial(schema: Schema, value: unknown, path: string): StatusCause[] {
  const walk = new Walk(false);
  walk.visit({ ...schema, 'x-kubernetes-preserve-unknown-fields': true }, value, path);
  return [
    ...walk.causes,
    ...walk.mismatches.map((one) => ({ reason: 'FieldValueTypeInvalid', field: one.path, message: typeCause(one) })),
  ];
}

/** The 422 text for a wrong type, as Kubernetes words it for custom resources. */
export function typeCause(mismatch: TypeMismatch): string {
  return `Invalid value: "${mismatch.got}": ${mismatch.path} in body must be of type ${mismatch.expected}: "${mismatch.got}"`;
}

const QUANTITY = /^[+-]?(\d+(\.\d*)?|\.\d+)(([KMGTPE]i)|[munkMGTPE]|[eE][+-]?\d+)?$/;

const matchers = new Map<string, RE2JS>();

/** Patterns may come from a user's CRD, so they run under RE2: none can stall the server. */
function matcherOf(pattern: string): RE2JS {
  let matcher = matchers.get(pattern);
  if (matcher === undefined) {
    matcher = RE2JS.compile(pattern);
    matchers.set(pattern, matcher);
  }
  return matcher;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isType(type: NonNullable<Schema['type']>, value: unknown): boolean {
  switch (type) {
    case 'object':
      return isRecord(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number' && !Number.isInteger(value)) return `number ${value}`;
  return typeof value;
}

function same(left: unknown, right: unknown): boolean {
  return left === right || (typeof left === 'object' && JSON.stringify(left) === JSON.stringify(right));
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'null';
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
