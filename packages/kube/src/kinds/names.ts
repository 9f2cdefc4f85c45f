// What names, labels and annotations may look like (k8s.io/apimachinery util/validation), with Kubernetes' own words.
import type { StatusCause } from '../object.ts';

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const DNS_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

/** All annotations of an object together. */
const ANNOTATIONS_LIMIT = 256 * 1024;

/** `path`: anything that can be a segment of a URL's path. */
export type NameFormat = 'subdomain' | 'label' | 'label1035' | 'path';

/** What is wrong with a name; empty when it is good. */
export function nameProblems(name: string, format: NameFormat): string[] {
  switch (format) {
    case 'label':
      return [
        ...tooLong(name, 63),
        ...unless(
          DNS_LABEL.test(name),
          "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        ),
      ];
    case 'label1035':
      return [
        ...tooLong(name, 63),
        ...unless(
          DNS_1035.test(name),
          "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
        ),
      ];
    case 'path':
      if (name === '.' || name === '..') return [`may not be '${name}'`];
      return ['/', '%'].filter((one) => name.includes(one)).map((one) => `may not contain '${one}'`);
    case 'subdomain':
      return [
        ...tooLong(name, 253),
        ...unless(
          DNS_SUBDOMAIN.test(name),
          "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        ),
      ];
  }
}

export function labelProblems(labels: Readonly<Record<string, string>>, path: string): StatusCause[] {
  return Object.entries(labels).flatMap(([key, value]) => [
    ...qualifiedNameProblems(key).map((why) => invalid(path, key, why)),
    ...tooLong(value, 63).map((why) => invalid(path, value, why)),
    ...unless(
      LABEL_VALUE.test(value),
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ).map((why) => invalid(path, value, why)),
  ]);
}

export function annotationProblems(annotations: Readonly<Record<string, string>>, path: string): StatusCause[] {
  const causes = Object.keys(annotations).flatMap((key) =>
    qualifiedNameProblems(key.toLowerCase()).map((why) => invalid(path, key, why)),
  );
  let size = 0;
  for (const [key, value] of Object.entries(annotations)) size += Buffer.byteLength(key) + Buffer.byteLength(value);
  if (size > ANNOTATIONS_LIMIT) {
    causes.push({
      reason: 'FieldValueTooLong',
      field: path,
      message: `Too long: may not be more than ${ANNOTATIONS_LIMIT} bytes`,
    });
  }
  return causes;
}

/** Label keys, annotation keys and finalizers: `name` or `prefix/name`. */
export function qualifiedNameProblems(text: string): string[] {
  const parts = text.split('/');
  const name = parts.at(-1) ?? '';
  const problems: string[] = [];
  if (parts.length > 2) {
    return [
      "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
    ];
  }
  if (parts.length === 2) {
    if (parts[0] === '') problems.push('prefix part must be non-empty');
    else problems.push(...nameProblems(parts[0] ?? '', 'subdomain').map((why) => `prefix part ${why}`));
  }
  if (name === '') problems.push('name part must be non-empty');
  else {
    problems.push(...tooLong(name, 63).map((why) => `name part ${why}`));
    problems.push(
      ...unless(
        QUALIFIED.test(name),
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ),
    );
  }
  return problems;
}

export function invalid(field: string, value: unknown, why: string): StatusCause {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` };
}

export function required(field: string, why?: string): StatusCause {
  return {
    reason: 'FieldValueRequired',
    field,
    message: why === undefined ? 'Required value' : `Required value: ${why}`,
  };
}

export function duplicate(field: string, value: unknown): StatusCause {
  return { reason: 'FieldValueDuplicate', field, message: `Duplicate value: ${JSON.stringify(value)}` };
}

export function forbidden(field: string, why: string): StatusCause {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${why}` };
}

export function unsupported(field: string, value: unknown, supported: readonly string[]): StatusCause {
  const words = supported.map((word) => JSON.stringify(word)).join(', ');
  return {
    reason: 'FieldValueNotSupported',
    field,
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${words}`,
  };
}

function tooLong(text: string, most: number): string[] {
  return unless(text.length <= most, `must be no more than ${most} characters`);
}

function unless(good: boolean, why: string): string[] {
  return good ? [] : [why];
}
