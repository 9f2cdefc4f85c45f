// labelSelector and fieldSelector: the texts of a query turned into a test of an object.
import type { KindRow } from '../kinds/row.ts';
import type { KubeObject } from '../object.ts';
import { StatusError } from '../status-error.ts';

export type Predicate = (object: KubeObject) => boolean;

const EVERYTHING: Predicate = () => true;

/** `app=a,tier!=db,version in (v1,v2),!legacy` (apimachinery labels.Parse). */
export function labelPredicate(text: string | undefined): Predicate {
  if (text === undefined || text.trim() === '') return EVERYTHING;
  const requirements = splitTop(text).map((part) => requirement(part.trim(), text));
  return (object) => {
    const labels = object.metadata?.labels ?? {};
    return requirements.every((holds) => holds(labels));
  };
}

type Labels = Readonly<Record<string, string>>;

const KEY = '([A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?)';
const IN_SET = new RegExp(`^${KEY}\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const EQUALS = new RegExp(`^${KEY}\\s*(==|=|!=)\\s*([A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`);
const EXISTS = new RegExp(`^(!?)\\s*${KEY}$`);
const COMPARES = new RegExp(`^${KEY}\\s*([<>])\\s*(-?\\d+)$`);

function requirement(part: string, whole: string): (labels: Labels) => boolean {
  const set = IN_SET.exec(part);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    const values = new Set(list.split(',').map((value) => value.trim()));
    if (operator === 'in') return (labels) => labels[key] !== undefined && values.has(labels[key]);
    return (labels) => labels[key] === undefined || !values.has(labels[key]);
  }
  const equals = EQUALS.exec(part);
  if (equals !== null) {
    const [, key = '', operator, value = ''] = equals;
    return operator === '!=' ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  }
  const compares = COMPARES.exec(part);
  if (compares !== null) {
    const [, key = '', operator, bound] = compares;
    return (labels) => {
      const value = labels[key];
      if (value === undefined || !/^-?\d+$/.test(value)) return false;
      return operator === '>' ? Number(value) > Number(bound) : Number(value) < Number(bound);
    };
  }
  const exists = EXISTS.exec(part);
  if (exists !== null) {
    const [, not, key = ''] = exists;
    return not === '!' ? (labels) => labels[key] === undefined : (labels) => labels[key] !== undefined;
  }
  throw StatusError.badRequest(
    `unable to parse requirement: cannot read ${JSON.stringify(part)} in the label selector ${JSON.stringify(whole)}`,
  );
}

/** Splits at commas outside of parentheses. */
function splitTop(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index];
    if (char === '(') depth += 1;
    else if (char === ')') depth -= 1;
    else if (char === ',' && depth === 0) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

/** `metadata.name=a,status.phase!=Running`; only fields that the kind offers for selecting. */
export function fieldPredicate(row: KindRow, text: string | undefined): Predicate {
  if (text === undefined || text.trim() === '') return EVERYTHING;
  const tests = text.split(',').map((part) => {
    const match = /^([^=!]+?)(==|=|!=)(.*)$/.exec(part.trim());
    if (match === null)
      throw StatusError.badRequest(
        `invalid field selector ${JSON.stringify(text)}: cannot read ${JSON.stringify(part)}`,
      );
    const [, field = '', operator, value = ''] = match;
    const read = fieldReader(row, field);
    return operator === '!='
      ? (object: KubeObject) => read(object) !== value
      : (object: KubeObject) => read(object) === value;
  });
  return (object) => tests.every((holds) => holds(object));
}

function fieldReader(row: KindRow, field: string): (object: KubeObject) => string {
  if (field === 'metadata.name') return (object) => object.metadata?.name ?? '';
  if (field === 'metadata.namespace') return (object) => object.metadata?.namespace ?? '';
  const read =
    row.selectableFields !== undefined && Object.hasOwn(row.selectableFields, field)
      ? row.selectableFields[field]
      : undefined;
  if (read !== undefined) return read;
  throw StatusError.badRequest(`field label not supported: ${field}`);
}
