// extensions.filters.http.cors.v3.CorsPolicy: which origins may read the answers, and what a preflight is told.
import type { CorsPolicy as CorsProto } from '@varka/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts';
import { runtimeFraction } from './fraction.ts';
import type { HeaderEdit } from './header-edits.ts';
import type { Problems } from './problems.ts';
import type { RequestView } from './request-view.ts';
import { compileStringMatch, type TextTest } from './string-match.ts';

export type CorsDecision =
  /** Not a request from another origin, or from one that is not allowed. */
  | { readonly kind: 'pass' }
  /** Goes on; its answer, whoever gives it, carries these. */
  | { readonly kind: 'allow'; readonly responseHeaders: readonly HeaderEdit[] }
  /** A preflight: answered here with 200 and these. */
  | { readonly kind: 'preflight'; readonly responseHeaders: readonly HeaderEdit[] };

export interface CorsPolicy {
  decide(request: RequestView): CorsDecision;
}

const PASS: CorsDecision = { kind: 'pass' };
const NO_HEADERS: readonly HeaderEdit[] = [];

const set = (name: string, value: string): HeaderEdit[] => (value === '' ? [] : [{ op: 'set', name, value }]);

export function compileCors(cors: CorsProto, problems: Problems): CorsPolicy | undefined {
  const enabled = runtimeFraction(cors.filterEnabled, 1);
  // A share between would need a draw of its own; nobody who writes Istio rules can ask for one.
  problems.unsupported('a filter_enabled other than 0 or 100 %', enabled > 0 && enabled < 1);
  const origins = cors.allowOriginStringMatch.map(
    (matcher, i): TextTest =>
      compileStringMatch(matcher, problems.at(`allow_origin_string_match[${i}]`)) ?? (() => false),
  );
  const credentials = cors.allowCredentials === true ? set('access-control-allow-credentials', 'true') : [];
  const forPreflight = [
    ...credentials,
    ...set('access-control-allow-methods', cors.allowMethods),
    ...set('access-control-allow-headers', cors.allowHeaders),
    ...set('access-control-max-age', cors.maxAge),
  ];
  const forAnswer = [...credentials, ...set('access-control-expose-headers', cors.exposeHeaders)];
  const forwardsStrangers = cors.forwardNotMatchingPreflights ?? true;
  const privateNetwork = cors.allowPrivateNetworkAccess === true;
  return {
    decide(request) {
      const origin = request.header('origin');
      if (enabled === 0 || origin === undefined || origin === '') return PASS;
      const allowed = origins.some((test) => test(origin));
      const preflight = request.method === 'OPTIONS' && (request.header('access-control-request-method') ?? '') !== '';
      if (!allowed) return preflight && !forwardsStrangers ? { kind: 'preflight', responseHeaders: NO_HEADERS } : PASS;
      const own = set('access-control-allow-origin', origin);
      if (!preflight) return { kind: 'allow', responseHeaders: [...own, ...forAnswer] };
      const asksPrivate = privateNetwork && request.header('access-control-request-private-network') === 'true';
      const extra = asksPrivate ? set('access-control-allow-private-network', 'true') : [];
      return { kind: 'preflight', responseHeaders: [...own, ...forPreflight, ...extra] };
    },
  };
}
