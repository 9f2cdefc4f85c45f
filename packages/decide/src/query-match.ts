// route.v3.QueryParameterMatcher as a function over the path. Names and values are compared undecoded, and only a
// name's first value counts, as in Envoy (ConfigUtility::QueryParameterMatcher).
import type { QueryParameterMatcher } from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import type { RequestTest } from './header-match.ts';
import type { Problems } from './problems.ts';
import { compileStringMatch } from './string-match.ts';

export function queryParameter(path: string, name: string): string | undefined {
  const question = path.indexOf('?');
  if (question === -1) return undefined;
  const hash = path.indexOf('#', question);
  for (const pair of path.slice(question + 1, hash === -1 ? undefined : hash).split('&')) {
    const equals = pair.indexOf('=');
    if ((equals === -1 ? pair : pair.slice(0, equals)) === name) return equals === -1 ? '' : pair.slice(equals + 1);
  }
  return undefined;
}

export function compileQueryMatch(matcher: QueryParameterMatcher, problems: Problems): RequestTest {
  if (matcher.name === '') problems.add('name is empty');
  const { name } = matcher;
  const specifier = matcher.queryParameterMatchSpecifier;
  if (specifier.case === 'stringMatch') {
    const test = compileStringMatch(specifier.value, problems.at('string_match')) ?? (() => false);
    return (request) => {
      const value = queryParameter(request.path, name);
      return value !== undefined && test(value);
    };
  }
  const wanted = specifier.value ?? true;
  return (request) => (queryParameter(request.path, name) !== undefined) === wanted;
}
