// The *_headers_to_add and *_headers_to_remove fields of a route's four levels, as one list in Envoy's order.
import {
  HeaderValueOption_HeaderAppendAction as Action,
  type HeaderValueOption,
} from '@varka/xds/gen/envoy/config/core/v3/base_pb.ts';
import type { Problems } from './problems.ts';

/** One edit, in the order in which Envoy applies them. `value` is literal text. */
export type HeaderEdit =
  | { readonly op: 'append'; readonly name: string; readonly value: string }
  | { readonly op: 'set'; readonly name: string; readonly value: string }
  | { readonly op: 'add-if-absent'; readonly name: string; readonly value: string }
  | { readonly op: 'remove'; readonly name: string };

/** What every level has: the route configuration, a virtual host, a route and a weighted cluster. */
export interface HeaderLevel {
  readonly requestHeadersToAdd: readonly HeaderValueOption[];
  readonly requestHeadersToRemove: readonly string[];
  readonly responseHeadersToAdd: readonly HeaderValueOption[];
  readonly responseHeadersToRemove: readonly string[];
}

export interface LevelEdits {
  readonly request: readonly HeaderEdit[];
  readonly response: readonly HeaderEdit[];
}

export const NO_EDITS: LevelEdits = { request: [], response: [] };

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

export function compileLevel(level: HeaderLevel, problems: Problems): LevelEdits {
  return {
    request: compileEdits('request', level.requestHeadersToAdd, level.requestHeadersToRemove, problems),
    response: compileEdits('response', level.responseHeadersToAdd, level.responseHeadersToRemove, problems),
  };
}

/**
 * Levels come most specific first. Envoy evaluates in that order, so the least specific has the last word, unless
 * RouteConfiguration.most_specific_header_mutations_wins turns it round.
 */
export function joinLevels(levels: readonly LevelEdits[], mostSpecificWins: boolean): LevelEdits {
  const ordered = mostSpecificWins ? [...levels].reverse() : levels;
  return { request: ordered.flatMap((level) => level.request), response: ordered.flatMap((level) => level.response) };
}

/** Within a level: removals, then overwrites, then additions (Envoy: HeaderParser::evaluateHeaders). */
function compileEdits(
  side: 'request' | 'response',
  add: readonly HeaderValueOption[],
  remove: readonly string[],
  problems: Problems,
): HeaderEdit[] {
  const edits: HeaderEdit[] = [];
  for (const [i, name] of remove.entries()) {
    const lower = name.toLowerCase();
    const at = problems.at(`${side}_headers_to_remove[${i}]`);
    if (lower.startsWith(':') || lower === 'host') at.add(':-prefixed or host headers may not be removed');
    else edits.push({ op: 'remove', name: lower });
  }
  const additions: HeaderEdit[] = [];
  for (const [i, option] of add.entries()) {
    const edit = compileAddition(option, problems.at(`${side}_headers_to_add[${i}]`));
    if (edit?.op === 'set') edits.push(edit);
    else if (edit !== undefined) additions.push(edit);
  }
  return [...edits, ...additions];
}

function compileAddition(option: HeaderValueOption, problems: Problems): HeaderEdit | undefined {
  const name = option.header?.key.toLowerCase() ?? '';
  if (name.startsWith(':') || name === 'host') {
    problems.add(':-prefixed or host headers may not be modified');
    return undefined;
  }
  if (!NAME.test(name)) {
    problems.add(`${JSON.stringify(name)} is not a header name`);
    return undefined;
  }
  if (option.append !== undefined && option.appendAction !== Action.APPEND_IF_EXISTS_OR_ADD) {
    problems.add('both append and append_action are set');
    return undefined;
  }
  const raw = option.header?.rawValue;
  const text =
    raw !== undefined && raw.length > 0 ? new TextDecoder('latin1').decode(raw) : (option.header?.value ?? '');
  const value = literal(text, problems);
  // An empty value is dropped unless the rule says to keep it (HeaderValueOption.keep_empty_value).
  if (value === undefined || (value === '' && !option.keepEmptyValue)) return undefined;
  if (option.append === false) return { op: 'set', name, value };
  switch (option.appendAction) {
    case Action.APPEND_IF_EXISTS_OR_ADD:
      return { op: 'append', name, value };
    case Action.ADD_IF_ABSENT:
      return { op: 'add-if-absent', name, value };
    case Action.OVERWRITE_IF_EXISTS_OR_ADD:
      return { op: 'set', name, value };
    default:
      problems.add(`append_action ${option.appendAction} is not supported`);
      return undefined;
  }
}

/** Header values are format strings in Envoy: `%%` is a percent sign, `%NAME%` a command. */
function literal(text: string, problems: Problems): string | undefined {
  if (/[\0\r\n]/.test(text)) {
    problems.add('value holds a line break or NUL');
    return undefined;
  }
  const command = /%[^%]+%/.exec(text.replaceAll('%%', ''));
  if (command !== null) {
    problems.add(`the format command ${command[0]} is not supported in a header value`);
    return undefined;
  }
  if (text.replaceAll('%%', '').includes('%')) {
    problems.add(`${JSON.stringify(text)} has a lone "%": write "%%" for a percent sign`);
    return undefined;
  }
  return text.replaceAll('%%', '%');
}
