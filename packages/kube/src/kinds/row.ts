// One row of the table of kinds: everything the API server needs to serve a kind.
import type { KubeObject, StatusCause } from '../object.ts';
import { ageOf } from './human-duration.ts';
import { parseJsonPath } from './json-path.ts';
import type { KindRef } from './kind.ts';
import type { NameFormat } from './names.ts';
import type { Schema } from './schema.ts';

export interface KindRow {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  /** The kind in lower case unless given. */
  readonly singular?: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly namespaced: boolean;
  /** Served versions, the preferred one first. All share one shape; a version with another is a row with a `view`. */
  readonly versions: readonly string[];
  readonly storageVersion: string;
  /** The object's fields beside apiVersion, kind and metadata. */
  readonly schema: Schema;
  /** Versions of a custom resource that have a schema of their own. */
  readonly versionSchemas?: Readonly<Record<string, Schema>>;
  readonly columns: readonly Column[];
  /**
   * `native`: as a kind built into Kubernetes (a wrong type is a decoding error, strategic merge patches work).
   * `custom`: as a kind that a CustomResourceDefinition describes.
   * `lenient`: as `custom`, but unknown fields are dropped with a warning even under fieldValidation=Strict.
   */
  readonly decoding: 'native' | 'custom' | 'lenient';
  readonly subresources?: Subresources;
  /** Field selectors beside metadata.name and metadata.namespace. */
  readonly selectableFields?: Readonly<Record<string, (object: KubeObject) => string>>;
  readonly rules?: KindRules;
  /** The kind keeps no objects: it shows another kind's in a shape of its own. */
  readonly view?: View;
  /** Nothing is kept: an object is created only to be answered, and no other verb is offered. */
  readonly transient?: boolean;
  /** Nothing is kept: objects are made when they are asked for, and can only be looked at. */
  readonly measured?: boolean;
  /** What nothing here does with the objects, told to whoever writes one. */
  readonly notice?: string;
}

/** Both directions return copies; `apiVersion` and `kind` are set by the caller. */
export interface View {
  readonly of: KindRow;
  show(object: KubeObject): KubeObject;
  /** `current` is what is kept as yet: what the view cannot show of it stays. */
  keep(object: KubeObject, current?: KubeObject): KubeObject;
}

export interface Subresources {
  /** `status` is written through its own path only. */
  readonly status?: boolean;
  readonly scale?: ScalePaths;
  /** Pods only. */
  readonly log?: boolean;
  readonly binding?: boolean;
  /** Paths that connect to what runs (`pods/NAME/exec`), each with the kind of its options. */
  readonly connections?: Readonly<Record<string, string>>;
  /** Namespaces only. */
  readonly finalize?: boolean;
  /** Service accounts only. */
  readonly token?: boolean;
}

export interface ScalePaths {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  /** Where the selector is, as text or as a LabelSelector. */
  readonly labelSelectorPath?: string;
}

/** What Kubernetes' registry strategies do beyond the schema. The drafts may be changed in place. */
export interface KindRules {
  /** Whoever creates the object knows its status already (a node announces itself). */
  readonly keepsStatusOnCreate?: boolean;
  prepareCreate?(draft: KubeObject): void;
  prepareUpdate?(draft: KubeObject, old: KubeObject): void;
  /** Everything that is wrong with the object; `old` is given on update. */
  validate?(object: KubeObject, old?: KubeObject): StatusCause[];
  /** How names of this kind are made up; DNS-1123 subdomains unless told. */
  readonly nameFormat?: NameFormat;
}

export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string;
  readonly description: string;
  /** Columns above 0 are for `-o wide`. */
  readonly priority?: number;
  cell(object: KubeObject, now: Date): unknown;
}

export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'The name, unique within its namespace.',
  cell: (object) => object.metadata?.name ?? '',
};

export const ageColumn: Column = {
  name: 'Age',
  type: 'string',
  description: 'How long ago the object was created.',
  cell: (object, now) => ageOf(object.metadata?.creationTimestamp, now),
};

/** A column that shows what a JSONPath finds, the way the API server prints it for custom resources. */
export function pathColumn(
  name: string,
  path: string,
  description: string,
  type: Column['type'] = 'string',
  priority = 0,
): Column {
  const read = parseJsonPath(path);
  return {
    name,
    type,
    description,
    priority,
    cell: (object, now) => {
      const value = read?.(object);
      if (value === undefined) return type === 'date' ? '<unknown>' : '';
      if (type === 'date') return ageOf(value, now);
      return typeof value === 'object' ? JSON.stringify(value) : type === 'string' ? String(value) : value;
    },
  };
}

export const singularOf = (row: KindRow): string => row.singular ?? row.kind.toLowerCase();

/** The key that the store keeps the kind's objects under; versions and views share it. */
export function resourceOf(row: Pick<KindRow, 'group' | 'plural' | 'view'>): string {
  if (row.view !== undefined) return resourceOf(row.view.of);
  return row.group === '' ? row.plural : `${row.plural}.${row.group}`;
}

/** The row as a client names it, in the version it is stored in. */
export function refOf(row: KindRow, version: string = row.storageVersion): KindRef {
  return { group: row.group, version, kind: row.kind, plural: row.plural, namespaced: row.namespaced };
}
