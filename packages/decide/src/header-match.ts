// route.v3.HeaderMatcher as a function over the request.
import type { HeaderMatcher } from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import type { Problems } from './problems.ts';
import { compileRegex } from './regex.ts';
import type { RequestView } from './request-view.ts';
import { compileStringMatch, type TextTest, textTest } from './string-match.ts';

export type RequestTest = (request: RequestView) => boolean;

/** Envoy keeps the request line among the headers; `host` is another name of `:authority` there. */
export function headerReader(name: string): (request: RequestView) => string | undefined {
  switch (name) {
    case ':method':
      return (request) => request.method;
    case ':path':
      return (request) => request.path;
    case ':scheme':
      return (request) => request.scheme;
    case ':authority':
    case 'host':
      return (request) => request.authority;
    default:
      return (request) => request.header(name);
  }
}

function rangeTest(start: bigint, end: bigint): TextTest {
  return (text) => {
    if (!/^[ \t]*[+-]?[0-9]{1,19}[ \t]*$/.test(text)) return false;
    const value = BigInt(text.trim().replace(/^\+/, ''));
    return value >= start && value < end;
  };
}

function compileValueTest(matcher: HeaderMatcher, problems: Problems): TextTest | undefined {
  const specifier = matcher.headerMatchSpecifier;
  switch (specifier.case) {
    case 'exactMatch':
      // The deprecated exact_match takes an empty value for "any" (Envoy: HeaderUtility, HeaderDataExactMatch).
      return specifier.value === '' ? () => true : textTest('exact', specifier.value, false);
    case 'prefixMatch':
      return textTest('prefix', specifier.value, false);
    case 'suffixMatch':
      return textTest('suffix', specifier.value, false);
    case 'containsMatch':
      return textTest('contains', specifier.value, false);
    case 'safeRegexMatch':
      return compileRegex(specifier.value, problems.at('safe_regex_match'));
    case 'stringMatch':
      return compileStringMatch(specifier.value, problems.at('string_match'));
    case 'rangeMatch':
      return rangeTest(specifier.value.start, specifier.value.end);
    default:
      return undefined;
  }
}

export function compileHeaderMatch(matcher: HeaderMatcher, problems: Problems): RequestTest {
  if (matcher.name === '') problems.add('name is empty');
  const read = headerReader(matcher.name.toLowerCase());
  const invert = matcher.invertMatch;
  const specifier = matcher.headerMatchSpecifier;
  if (specifier.case === undefined || specifier.case === 'presentMatch') {
    const wanted = (specifier.value ?? true) !== invert;
    return (request) => (read(request) !== undefined) === wanted;
  }
  const test = compileValueTest(matcher, problems) ?? (() => false);
  // A missing header matches neither the rule nor its inversion unless it is to be taken for an empty one
  // (HeaderMatcher.treat_missing_header_as_empty).
  const missing = matcher.treatMissingHeaderAsEmpty ? '' : undefined;
  return (request) => {
    const value = read(request) ?? missing;
    return value !== undefined && test(value) !== invert;
  };
}
