// RE2 patterns: linear time whatever the pattern and the input, so no rule can stall a proxy.
import type { RegexMatchAndSubstitute, RegexMatcher } from '@varka/xds/gen/envoy/type/matcher/v3/regex_pb.ts';
import { RE2JS } from 're2js';
import type { Problems } from './problems.ts';

function compile(regex: string, problems: Problems): RE2JS | undefined {
  try {
    return RE2JS.compile(regex);
  } catch (error) {
    problems.add(`${JSON.stringify(regex)} is not a valid RE2 pattern: ${(error as Error).message}`);
    return undefined;
  }
}

/** Full match, as everywhere in Envoy (type.matcher.v3.RegexMatcher). */
export function compileRegex(matcher: RegexMatcher, problems: Problems): ((text: string) => boolean) | undefined {
  if (matcher.regex === '') {
    problems.add('regex is empty');
    return undefined;
  }
  const pattern = compile(matcher.regex, problems);
  return pattern && ((text) => pattern.testExact(text));
}

/** The substitution's parts: literal text, or the number of a capture group (`\0` is the whole match). */
function parseSubstitution(text: string, groups: number, problems: Problems): readonly (string | number)[] {
  const parts: (string | number)[] = [];
  let literal = '';
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '\\') {
      literal += text[i];
      continue;
    }
    const next = text[++i] ?? '';
    if (next === '\\') literal += '\\';
    else if (/^[0-9]$/.test(next)) {
      if (Number(next) > groups) problems.add(`substitution refers to group ${next}, the pattern has ${groups}`);
      parts.push(literal, Number(next));
      literal = '';
    } else
      problems.add(`substitution ${JSON.stringify(text)} has an invalid escape: only \\0 to \\9 and \\\\ are known`);
  }
  parts.push(literal);
  return parts.filter((part) => part !== '');
}

/** RE2::GlobalReplace: every match is replaced, and an empty match right behind a match is not one. */
export function compileSubstitution(
  rewrite: RegexMatchAndSubstitute,
  problems: Problems,
): ((text: string) => string) | undefined {
  const regex = rewrite.pattern?.regex ?? '';
  if (regex === '') {
    problems.add('pattern is empty');
    return undefined;
  }
  const pattern = compile(regex, problems.at('pattern'));
  if (pattern === undefined) return undefined;
  const parts = parseSubstitution(rewrite.substitution, pattern.groupCount(), problems);
  return (text) => {
    const matcher = pattern.matcher(text);
    let out = '';
    let end = 0;
    let matched = false;
    while (matcher.find()) {
      const start = matcher.start();
      if (matched && start === matcher.end() && start === end) continue;
      out += text.slice(end, start);
      for (const part of parts) out += typeof part === 'string' ? part : (matcher.group(part) ?? '');
      end = matcher.end();
      matched = true;
    }
    return out + text.slice(end);
  };
}
