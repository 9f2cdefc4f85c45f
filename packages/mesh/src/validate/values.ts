// The rules for single values: names, hosts, ports, durations, percentages, patterns [istio pkg/config/validation].
import { RE2JS } from 're2js';
import { parseDuration } from '../config/duration.ts';
import type { Place } from './report.ts';

const DNS_LABEL = /^[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/;
const WILDCARD_LABEL = /^(?:\*|(?:\*-?)?[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const HEADER_NAME = /^[-_A-Za-z0-9]+$/;
const LABEL_NAME = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)$/;

/** Envoy's own limit is on the compiled program; a text of this length always stays below it. */
const MAX_REGEX_LENGTH = 1024;

export function isDnsLabel(text: string): boolean {
  return DNS_LABEL.test(text);
}

export function isIpAddress(text: string): boolean {
  return IPV4.test(text) || (text.includes(':') && /^[0-9a-fA-F:.]+$/.test(text));
}

/** A host name; a wildcard may stand for its first label or begin it (`*.example.com`, `*-web.example.com`, `*`). */
export function checkHost(place: Place, wildcard: 'wildcard' | 'exact' = 'wildcard'): void {
  const problem = hostProblem(place.text, wildcard === 'wildcard');
  if (problem !== undefined) place.error(problem);
}

export function hostProblem(host: string, wildcard: boolean): string | undefined {
  if (host === '') return 'empty domain name not allowed';
  if (host.length > 255) return `domain name "${host.slice(0, 32)}…" too long (max 255)`;
  const labels = host.replace(/\.$/, '').split('.');
  for (const [index, label] of labels.entries()) {
    const valid = index === 0 && wildcard ? WILDCARD_LABEL.test(label) : DNS_LABEL.test(label);
    if (!valid) return `domain name "${host}" invalid (label "${label}" invalid)`;
  }
  const last = labels.at(-1) ?? '';
  if (labels.length > 1 && /^\d+$/.test(last)) {
    return `domain name "${host}" invalid (top-level domain "${last}" cannot be all-numeric)`;
  }
  return undefined;
}

export function checkPort(place: Place): void {
  const port = place.number;
  if (port === undefined || !Number.isInteger(port) || port < 1 || port > 65535) {
    place.error(`port number ${String(place.value)} must be in the range 1..65535`);
  }
}

export function checkNonNegative(place: Place): void {
  if (place.isSet && (place.number ?? 0) < 0) place.error(`must be non-negative, is ${place.number}`);
}

export function checkDuration(place: Place, options: { zero?: boolean } = {}): void {
  if (!place.isSet) return;
  const duration = parseDuration(place.text);
  if (duration === undefined) {
    place.error(`"${String(place.value)}" is not a duration; write it as 5s, 1m30s or 250ms`);
    return;
  }
  const zero = duration.seconds === 0n && duration.nanos === 0;
  if (zero && options.zero) return;
  if (duration.seconds === 0n && duration.nanos < 1e6) place.error('duration must be greater than 1ms');
  else if (duration.nanos % 1e6 !== 0) place.error('only durations to ms precision are supported');
}

/** A whole number of percent. */
export function checkPercent(place: Place): void {
  const value = place.number;
  if (value !== undefined && (value < 0 || value > 100)) place.error(`percentage ${value} is not in range 0..100`);
}

/** A `Percent` message, `{value: 12.5}`. */
export function checkPercentage(place: Place): void {
  const value = place.field('value').number;
  if (value === undefined) return;
  if (value < 0 || value > 100 || (value > 0 && value < 0.0001)) {
    place.field('value').error(`percentage ${value} is neither 0.0, nor in range [0.0001, 100.0]`);
  }
}

/** RE2 has no look-around and no back-references, and so takes linear time whatever the pattern. */
export function checkRegex(place: Place): void {
  const pattern = place.text;
  if (pattern === '') {
    place.error('regex string match should not be empty');
  } else if (pattern.length > MAX_REGEX_LENGTH) {
    place.error(`regex is too large, max length allowed is ${MAX_REGEX_LENGTH}`);
  } else {
    try {
      RE2JS.compile(pattern);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      place.error(
        `"${pattern}" is not a valid pattern: ${reason}; ` +
          'patterns are in RE2 syntax (https://github.com/google/re2/wiki/Syntax)',
      );
    }
  }
}

const KINDS_OF_MATCH = ['exact', 'prefix', 'regex'] as const;

/** `{exact|prefix|regex: text}`. An empty one means "is present" where that makes sense. */
export function checkStringMatch(place: Place, options: { mayBeEmpty?: boolean } = {}): void {
  const given = KINDS_OF_MATCH.filter((kind) => place.field(kind).isSet);
  if (given.length > 1) place.error(`only one of ${given.join(' and ')} may be set`);
  if (place.field('regex').isSet) checkRegex(place.field('regex'));
  const prefix = place.field('prefix');
  if (prefix.isSet && prefix.text === '' && !options.mayBeEmpty) {
    prefix.error('prefix string match should not be empty');
  }
}

export function checkHeaderName(name: string, place: Place): void {
  if (name === '') place.error('header name cannot be empty');
  else if (!HEADER_NAME.test(name) && !name.startsWith('@request.auth.claims')) {
    place.error(`header name ${name} is not a valid header name`);
  }
}

/** Kubernetes label keys and values, `prefix/name` and up to 63 characters (meta: "Labels and Selectors"). */
export function checkLabels(place: Place): void {
  for (const [key, value] of place.entries()) {
    const slash = key.lastIndexOf('/');
    const prefix = slash < 0 ? undefined : key.slice(0, slash);
    if (!LABEL_NAME.test(key.slice(slash + 1)) || (prefix !== undefined && hostProblem(prefix, false) !== undefined)) {
      value.error(`invalid label key: "${key}"`);
    }
    if (value.text !== '' && !LABEL_NAME.test(value.text)) value.error(`invalid label value: "${value.text}"`);
  }
}

export function checkSubsetName(place: Place): void {
  if (place.text === '') place.error('subset name cannot be empty');
  else if (!isDnsLabel(place.text)) place.error(`subset name is invalid: ${place.text}`);
}

/** `.` own namespace, `*` everybody, `~` nobody (ServiceEntry only), else a namespace's name. */
export function checkExportTo(place: Place): void {
  const seen = new Set<string>();
  for (const item of place.items()) {
    if (seen.has(item.text)) item.error(`duplicate entries in exportTo for entry ${item.text}`);
    seen.add(item.text);
    if (item.text !== '.' && item.text !== '*' && !isDnsLabel(item.text)) {
      item.error(`only . or * or a namespace's name is allowed, not "${item.text}"`);
    }
  }
  if (seen.has('*') && seen.size > 1) {
    place.error('cannot have both public (*) and non-public exportTo values for a resource');
  }
}
