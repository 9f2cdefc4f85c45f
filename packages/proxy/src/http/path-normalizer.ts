// Path normalization (Envoy: normalize_path; Istio's default BASE): what rules match is what the upstream will see.

const SUSPECT = /\\|%2e|%00|\/\.|^\.|\/\/\./i;

/**
 * Dot segments resolved, `\` taken for `/`, `%2e` for `.`; escaped slashes and repeated slashes stay (RFC 3986 §6.2.2).
 * undefined when the path cannot be trusted to mean one thing: it has an escaped NUL.
 */
export function normalizePath(target: string): string | undefined {
  if (!SUSPECT.test(target)) return target;
  const queryAt = target.indexOf('?');
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  if (path.includes('%00')) return undefined;
  if (!SUSPECT.test(path)) return target;
  const kept: string[] = [];
  const segments = path.replaceAll('\\', '/').replace(/%2e/gi, '.').split('/').slice(1);
  for (const [at, segment] of segments.entries()) {
    const last = at === segments.length - 1;
    if (segment === '..') kept.pop();
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else if (last) kept.push('');
  }
  return `/${kept.join('/')}${queryAt < 0 ? '' : target.slice(queryAt)}`;
}
