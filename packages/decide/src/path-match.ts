// The path part of route.v3.RouteMatch: what it accepts, and which part of the path a prefix_rewrite replaces.
import type { RouteMatch } from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import type { Problems } from './problems.ts';
import { compileRegex } from './regex.ts';

export interface PathMatch {
  /** `path` comes without query and fragment. */
  readonly test: (path: string, method: string) => boolean;
  /** Length of what a prefix_rewrite replaces; undefined is the whole path. */
  readonly prefixLength: number | undefined;
}

/** Length of the path without query and fragment (Envoy: PathUtil::removeQueryAndFragment). */
export function pathLength(path: string): number {
  const question = path.indexOf('?');
  const hash = path.indexOf('#');
  if (question === -1) return hash === -1 ? path.length : hash;
  return hash === -1 ? question : Math.min(question, hash);
}

export function compilePathMatch(match: RouteMatch, problems: Problems): PathMatch | undefined {
  const specifier = match.pathSpecifier;
  const fold = match.caseSensitive === false;
  switch (specifier.case) {
    case 'path': {
      const wanted = fold ? specifier.value.toLowerCase() : specifier.value;
      const test = fold ? (path: string) => path.toLowerCase() === wanted : (path: string) => path === wanted;
      return { test, prefixLength: undefined };
    }
    case 'prefix': {
      const wanted = fold ? specifier.value.toLowerCase() : specifier.value;
      const test = fold ? (path: string) => path.toLowerCase().startsWith(wanted) : prefixTest(wanted);
      return { test, prefixLength: wanted.length };
    }
    case 'pathSeparatedPrefix':
      return compileSeparatedPrefix(specifier.value, fold, problems.at('path_separated_prefix'));
    case 'safeRegex': {
      // case_sensitive has no effect on a regex (RouteMatch.case_sensitive).
      const test = compileRegex(specifier.value, problems.at('safe_regex'));
      return test && { test, prefixLength: undefined };
    }
    case 'connectMatcher':
      return { test: (_path, method) => method === 'CONNECT', prefixLength: undefined };
    default:
      problems.add(specifier.case === undefined ? 'path_specifier is missing' : `${specifier.case} is not supported`);
      return undefined;
  }
}

function prefixTest(prefix: string): (path: string) => boolean {
  // The catch-all of nearly every virtual host.
  if (prefix === '/') return (path) => path.charCodeAt(0) === 47;
  return (path) => path.startsWith(prefix);
}

function compileSeparatedPrefix(value: string, fold: boolean, problems: Problems): PathMatch | undefined {
  if (!/^\/[^?#]*[^?#/]$/.test(value)) {
    problems.add(`${JSON.stringify(value)} must start with "/", not end with "/" and hold no "?" or "#"`);
    return undefined;
  }
  const wanted = fold ? value.toLowerCase() : value;
  const test = (path: string): boolean => {
    const start = fold ? path.toLowerCase() : path;
    return start.startsWith(wanted) && (start.length === wanted.length || start.charCodeAt(wanted.length) === 47);
  };
  return { test, prefixLength: wanted.length };
}
