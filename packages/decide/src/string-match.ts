// type.matcher.v3.StringMatcher as a function.
import type { StringMatcher } from '@varka/xds/gen/envoy/type/matcher/v3/string_pb.ts';
import type { Problems } from './problems.ts';
import { compileRegex } from './regex.ts';

export type TextTest = (text: string) => boolean;

export function compileStringMatch(matcher: StringMatcher, problems: Problems): TextTest | undefined {
  const pattern = matcher.matchPattern;
  switch (pattern.case) {
    case 'safeRegex':
      // ignore_case has no effect on safe_regex (StringMatcher.ignore_case).
      return compileRegex(pattern.value, problems.at('safe_regex'));
    case 'exact':
    case 'prefix':
    case 'suffix':
    case 'contains':
      return textTest(pattern.case, pattern.value, matcher.ignoreCase);
    default:
      problems.add(pattern.case === undefined ? 'match_pattern is missing' : `${pattern.case} is not supported`);
      return undefined;
  }
}

export function textTest(
  kind: 'exact' | 'prefix' | 'suffix' | 'contains',
  value: string,
  ignoreCase: boolean,
): TextTest {
  if (ignoreCase) {
    const inner = textTest(kind, value.toLowerCase(), false);
    return (text) => inner(text.toLowerCase());
  }
  switch (kind) {
    case 'exact':
      return (text) => text === value;
    case 'prefix':
      return (text) => text.startsWith(value);
    case 'suffix':
      return (text) => text.endsWith(value);
    case 'contains':
      return (text) => text.includes(value);
  }
}
