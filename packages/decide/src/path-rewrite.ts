// prefix_rewrite and regex_rewrite: from the request's path with query to the one that is sent on.
import type { RegexMatchAndSubstitute } from '@varka/xds/gen/envoy/type/matcher/v3/regex_pb.ts';
import type { PathMatch } from './path-match.ts';
import type { Problems } from './problems.ts';
import { compileSubstitution } from './regex.ts';

/** `bare` is the path's length without query and fragment, which every rewrite leaves alone. */
export type PathRewrite = (path: string, bare: number) => string;

export function compilePathRewrite(
  prefixRewrite: string,
  regexRewrite: RegexMatchAndSubstitute | undefined,
  match: PathMatch,
  problems: Problems,
): PathRewrite | undefined {
  if (prefixRewrite !== '' && regexRewrite !== undefined) {
    problems.add('prefix_rewrite and regex_rewrite are both set');
    return undefined;
  }
  if (prefixRewrite !== '') {
    // An exact or regex match is replaced as a whole (Envoy: PathRouteEntryImpl, RegexRouteEntryImpl).
    const { prefixLength } = match;
    return (path, bare) => prefixRewrite + path.slice(prefixLength ?? bare);
  }
  if (regexRewrite === undefined) return undefined;
  const substitute = compileSubstitution(regexRewrite, problems.at('regex_rewrite'));
  return substitute && ((path, bare) => substitute(path.slice(0, bare)) + path.slice(bare));
}
