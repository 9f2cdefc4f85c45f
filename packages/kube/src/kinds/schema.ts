// OpenAPI v3 schemas as data, and the short words our own kinds are written in.

/** The part of OpenAPI v3 (and of Kubernetes' structural schemas) that decides anything here. */
export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly format?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly uniqueItems?: boolean;
  readonly default?: unknown;
  readonly nullable?: boolean;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly not?: Schema;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-patch-merge-key'?: string;
  readonly 'x-kubernetes-patch-strategy'?: string;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: 'atomic' | 'granular';
}

export type Fields = Readonly<Record<string, Schema>>;

const described = (description: string | undefined): { description?: string } =>
  description === undefined ? {} : { description };

export const str = (description?: string, more: Schema = {}): Schema => ({
  type: 'string',
  ...described(description),
  ...more,
});
export const int = (description?: string, more: Schema = {}): Schema => ({
  type: 'integer',
  format: 'int32',
  ...described(description),
  ...more,
});
export const int64 = (description?: string, more: Schema = {}): Schema => ({
  ...int(description, more),
  format: 'int64',
});
export const uint32 = (description?: string, more: Schema = {}): Schema => ({
  ...int(description),
  format: 'int64',
  minimum: 0,
  maximum: 4294967295,
  ...more,
});
export const num = (description?: string, more: Schema = {}): Schema => ({
  type: 'number',
  format: 'double',
  ...described(description),
  ...more,
});
export const bool = (description?: string, more: Schema = {}): Schema => ({
  type: 'boolean',
  ...described(description),
  ...more,
});
export const oneOfWords = (words: readonly string[], description?: string, more: Schema = {}): Schema =>
  str(description, { enum: words, ...more });
export const time = (description?: string): Schema => str(description, { format: 'date-time' });
/** Go's duration text ("1.5s", "2m"): what protobuf durations are in Istio's YAML. */
export const duration = (description?: string): Schema => str(description, { format: 'go-duration' });
export const intOrString = (description?: string, more: Schema = {}): Schema => ({
  'x-kubernetes-int-or-string': true,
  ...described(description),
  ...more,
});
/** A resource amount ("100m", "1Gi"); a bare number is accepted and kept as text. */
export const quantity = (description?: string): Schema => ({ ...intOrString(description), format: 'quantity' });
export const list = (items: Schema, description?: string, more: Schema = {}): Schema => ({
  type: 'array',
  ...described(description),
  items,
  ...more,
});
/** A list whose items are told apart by `key`: strategic merge patches merge it item by item. */
export const listBy = (key: string, items: Schema, description?: string, more: Schema = {}): Schema =>
  list(items, description, {
    'x-kubernetes-patch-merge-key': key,
    'x-kubernetes-patch-strategy': 'merge',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': [key],
    ...more,
  });
/** A list of plain values that patches treat as a set. */
export const setOf = (items: Schema, description?: string): Schema =>
  list(items, description, { 'x-kubernetes-patch-strategy': 'merge', 'x-kubernetes-list-type': 'set' });
export const map = (values: Schema, description?: string): Schema => ({
  type: 'object',
  ...described(description),
  additionalProperties: values,
});
export const obj = (
  properties: Fields,
  required: readonly string[] = [],
  description?: string,
  more: Schema = {},
): Schema => ({
  type: 'object',
  ...described(description),
  properties,
  ...(required.length === 0 ? {} : { required }),
  ...more,
});
/** Anything at all, kept as it comes. */
export const anything = (description?: string): Schema => ({
  type: 'object',
  ...described(description),
  'x-kubernetes-preserve-unknown-fields': true,
});

/** At most one of these fields may be set (how Istio's CRDs write a protobuf oneof). */
export function atMostOne(...names: readonly string[]): Schema {
  const each = names.map((name): Schema => ({ required: [name] }));
  return { oneOf: [{ not: { anyOf: each } }, ...each] };
}
