// Checks the fields of a posted object, and says of each what is wrong with it.
import { HttpError } from './http-body.ts';

export interface FieldRule {
  /** As it stands in messages: `postal code`. */
  readonly label: string;
  readonly optional?: true;
  readonly maxLength?: number;
  readonly pattern?: RegExp;
  /** What to do when `pattern` does not fit. */
  readonly hint?: string;
}

export type FieldRules<Name extends string> = Readonly<Record<Name, FieldRule>>;

const MAX_LENGTH = 200;

/** A date of the calendar, `2026-03-01`. */
export function isDate(text: string): boolean {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

export const EMAIL = { pattern: /^[^\s@]+@[^\s@]+$/, hint: 'must look like name@example.com' };
export const LICENSE_NUMBER = {
  pattern: /^((\d{1,3}|[a-z]{1,3})-){2}(\d{1,3}|[a-z]{1,3})$/i,
  hint: 'must be three groups of up to three letters or digits, like AB-12-CD',
};

/** What is wrong, by field; empty when nothing is. `values` are of the wire, so of any type. */
export function problemsOf<Name extends string>(
  rules: FieldRules<Name>,
  values: Readonly<Record<string, unknown>>,
): Partial<Record<Name, string>> {
  const problems: Partial<Record<Name, string>> = {};
  for (const [name, rule] of Object.entries(rules) as [Name, FieldRule][]) {
    const problem = problemOf(rule, values[name]);
    if (problem !== undefined) problems[name] = `The ${rule.label} ${problem}.`;
  }
  return problems;
}

function problemOf({ optional, maxLength = MAX_LENGTH, pattern, hint }: FieldRule, value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return optional ? undefined : 'is required';
  if (typeof value !== 'string') return 'must be a text';
  if (value.trim() === '') return 'is required';
  if (value.length > maxLength) return `must not be longer than ${maxLength} characters`;
  return pattern === undefined || pattern.test(value) ? undefined : (hint ?? 'is not valid');
}

/** The fields of a posted object, trimmed. Throws an HttpError 400 in the form of RFC 9457 that lists what is wrong. */
export function readFields<Name extends string>(rules: FieldRules<Name>, posted: unknown): Record<Name, string> {
  const values = objectOf(posted);
  const problems = problemsOf(rules, values);
  if (Object.keys(problems).length > 0) throw invalid(problems);
  const names = Object.keys(rules) as Name[];
  return Object.fromEntries(names.map((name) => [name, String(values[name] ?? '').trim()])) as Record<Name, string>;
}

export function objectOf(posted: unknown): Readonly<Record<string, unknown>> {
  if (typeof posted === 'object' && posted !== null && !Array.isArray(posted)) return posted as Record<string, unknown>;
  throw new HttpError(400, { errorMessage: 'The body must be a JSON object.' });
}

export function invalid(errors: Readonly<Record<string, string | undefined>>): HttpError {
  return new HttpError(400, {
    title: 'One or more fields are not valid.',
    status: 400,
    errors,
    errorMessage: Object.values(errors).join(' '),
  });
}
