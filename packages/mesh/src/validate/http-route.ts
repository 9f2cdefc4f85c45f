// One `http` entry of a VirtualService [istio pkg/config/validation/virtualservice.go].
import { sameJson } from '../install/merge-patch.ts';
import { checkDestination, checkDestinations } from './destination.ts';
import { checkGatewayNames } from './gateway-names.ts';
import { checkHeaders, isAuthority } from './header-operations.ts';
import type { Place } from './report.ts';
import {
  checkDuration,
  checkHeaderName,
  checkLabels,
  checkPercent,
  checkPercentage,
  checkPort,
  checkRegex,
  checkStringMatch,
  isDnsLabel,
} from './values.ts';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE']);

/** Envoy's x-envoy-retry-on and x-envoy-retry-grpc-on policies. */
const RETRY_POLICIES = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'envoy-ratelimited',
  'http3-post-connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

export function checkHttpRoute(route: Place): void {
  if (!route.isSet) {
    route.error('http route may not be null');
    return;
  }
  checkExclusive(route);
  for (const match of route.field('match').items()) checkMatch(match);
  checkHeaders(route.field('headers'));
  checkDestinations(route.field('route'));
  checkRedirect(route.field('redirect'));
  checkDirectResponse(route.field('directResponse'));
  checkRewrite(route.field('rewrite'));
  checkAuthority(route);
  checkRetries(route.field('retries'));
  // 0s is "no timeout", as everywhere in Envoy.
  checkDuration(route.field('timeout'), { zero: true });
  checkFault(route.field('fault'));
  checkMirror(route);
  checkCors(route.field('corsPolicy'));
}

/** What the route does: exactly one of sending on, redirecting, answering or delegating. */
function checkExclusive(route: Place): void {
  const has = (name: string): boolean => route.field(name).isSet;
  const hasRoute = route.field('route').items().length > 0;
  if (has('delegate')) {
    if (has('redirect')) route.error('root HTTP route must not specify redirect');
    if (hasRoute) route.error('root HTTP route must not specify route');
    return;
  }
  if (has('redirect')) {
    if (hasRoute) route.error('HTTP route cannot contain both route and redirect');
    if (has('fault')) route.error('HTTP route cannot contain both fault and redirect');
    if (has('rewrite')) route.error('HTTP route rule cannot contain both rewrite and redirect');
    if (has('directResponse')) route.error('HTTP route cannot contain both direct_response and redirect');
  } else if (has('directResponse')) {
    if (hasRoute) route.error('HTTP route cannot contain both route and direct_response');
    if (has('rewrite')) route.error('HTTP route rule cannot contain both rewrite and direct_response');
  } else if (!hasRoute) {
    route.error('HTTP route, redirect or direct_response is required');
  }
}

function checkMatch(match: Place): void {
  for (const field of ['uri', 'scheme', 'method', 'authority']) checkStringMatch(match.field(field));
  for (const [, value] of match.field('queryParams').entries()) checkStringMatch(value);
  for (const field of ['headers', 'withoutHeaders']) {
    for (const [name, value] of match.field(field).entries()) {
      checkHeaderName(name, value);
      checkStringMatch(value, { mayBeEmpty: true });
    }
  }
  if (match.field('port').isSet && match.field('port').number !== 0) checkPort(match.field('port'));
  checkLabels(match.field('sourceLabels'));
  checkGatewayNames(match.field('gateways'));
  const namespace = match.field('sourceNamespace');
  if (namespace.text !== '' && !isDnsLabel(namespace.text)) {
    namespace.error(`sourceNamespace match ${namespace.text} is invalid`);
  }
}

/** envoy.config.route.v3.RedirectAction.RedirectResponseCode. */
const REDIRECT_CODES = new Set([301, 302, 303, 307, 308]);

function checkRedirect(redirect: Place): void {
  if (!redirect.isSet) return;
  if (!['uri', 'authority', 'port', 'derivePort', 'scheme'].some((name) => redirect.field(name).isSet)) {
    redirect.error('redirect must specify URI, authority, scheme, or port');
  }
  const code = redirect.field('redirectCode').number ?? 0;
  if (code !== 0 && (code < 300 || code > 399)) {
    redirect.field('redirectCode').error(`${code} is not a valid redirect code, must be 3xx`);
  } else if (code !== 0 && !REDIRECT_CODES.has(code)) {
    redirect.field('redirectCode').warn(`${code} is no redirect that Envoy knows, 301 is sent`);
  }
  const scheme = redirect.field('scheme');
  if (scheme.text !== '' && scheme.text !== 'http' && scheme.text !== 'https') {
    scheme.error('invalid redirect scheme, must be "http" or "https"');
  }
  if (redirect.field('port').isSet) checkPort(redirect.field('port'));
}

const MAX_DIRECT_BODY = 1024 * 1024;

function checkDirectResponse(response: Place): void {
  if (!response.isSet) return;
  checkHttpStatus(response.field('status'));
  for (const form of ['string', 'bytes']) {
    const body = response.field('body').field(form);
    if (body.text.length > MAX_DIRECT_BODY) {
      body.error('large direct_responses may impact control plane performance, must be less than 1MB');
    }
  }
}

function checkHttpStatus(place: Place): void {
  const status = place.number;
  if (status === undefined || status < 200 || status > 599) {
    place.error(`HTTP status ${String(place.value)} is not in range 200-599`);
  }
}

function checkRewrite(rewrite: Place): void {
  if (!rewrite.isSet) return;
  const regex = rewrite.field('uriRegexRewrite');
  const uri = rewrite.field('uri').text !== '';
  if (uri && regex.isSet) rewrite.error('rewrite may only contain one of URI or UriRegexRewrite');
  if (!uri && !regex.isSet && rewrite.field('authority').text === '') {
    rewrite.error('rewrite must specify at least one of URI, UriRegexRewrite, or authority');
  }
  if (!regex.isSet) return;
  if (regex.field('match').text === '' || regex.field('rewrite').text === '') {
    regex.error('UriRegexRewrite requires both Rewrite and Match fields to be specified');
  } else {
    checkRegex(regex.field('match'));
  }
}

/** The authority can be rewritten in one way only, or it would depend on the order. */
function checkAuthority(route: Place): void {
  const values = route.field('rewrite').field('authority').text === '' ? [] : ['rewrite.authority'];
  for (const operation of ['set', 'add']) {
    for (const [name] of route.field('headers').field('request').field(operation).entries()) {
      if (isAuthority(name)) values.push(`headers.request.${operation}[${name}]`);
    }
  }
  if (values.length > 1) route.error(`authority header cannot be set multiple times: ${values.join(' and ')}`);
}

function checkRetries(retries: Place): void {
  if (!retries.isSet) return;
  const attempts = retries.field('attempts').number ?? 0;
  if (attempts < 0) retries.field('attempts').error('attempts cannot be negative');
  if (
    attempts === 0 &&
    ['perTryTimeout', 'retryOn', 'retryRemoteLocalities'].some((name) => retries.field(name).isSet)
  ) {
    retries.error('http retry policy configured when attempts are set to 0 (disabled)');
  }
  checkDuration(retries.field('perTryTimeout'));
  checkDuration(retries.field('backoff'));
  const retryOn = retries.field('retryOn');
  for (const policy of retryOn.text === '' ? [] : retryOn.text.split(',')) {
    const status = Number(policy);
    const isStatus = Number.isInteger(status) && status >= 100 && status <= 599;
    if (!isStatus && !RETRY_POLICIES.has(policy)) retryOn.error(`"${policy}" is not a valid retryOn policy`);
  }
}

function checkFault(fault: Place): void {
  if (!fault.isSet) return;
  const abort = fault.field('abort');
  const delay = fault.field('delay');
  if (!abort.isSet && !delay.isSet) fault.error('HTTP fault injection must have an abort and/or a delay');
  if (abort.isSet) {
    checkPercentage(abort.field('percentage'));
    if (abort.field('httpStatus').isSet) checkHttpStatus(abort.field('httpStatus'));
    else if (!abort.field('grpcStatus').isSet) abort.warn('abort configured, but error type not set');
  }
  if (delay.isSet) {
    checkPercentage(delay.field('percentage'));
    checkPercent(delay.field('percent'));
    if (delay.field('exponentialDelay').isSet) delay.error('exponentialDelay not supported yet');
    else if (!delay.field('fixedDelay').isSet) delay.error('fixedDelay is required');
    checkDuration(delay.field('fixedDelay'));
  }
}

function checkMirror(route: Place): void {
  if (route.field('mirror').isSet) checkDestination(route.field('mirror'));
  for (const mirror of route.field('mirrors').items()) {
    if (mirror.field('destination').isSet) checkDestination(mirror.field('destination'));
    else mirror.error('destination is required for mirrors');
    checkPercentage(mirror.field('percentage'));
  }
  checkPercentage(route.field('mirrorPercentage'));
  for (const name of ['mirrorPercent', 'mirror_percent']) {
    const deprecated = route.field(name);
    checkPercent(deprecated);
    if (deprecated.isSet) deprecated.warn('deprecated, use mirrorPercentage instead');
  }
}

function checkCors(cors: Place): void {
  for (const origin of cors.field('allowOrigins').items()) {
    if (['exact', 'prefix', 'regex'].every((kind) => origin.field(kind).text === '')) {
      origin.error('not a valid match type for CORS allow origins');
    } else {
      checkStringMatch(origin);
    }
  }
  for (const method of cors.field('allowMethods').items()) {
    if (!METHODS.has(method.text)) method.error(`"${method.text}" is not a supported HTTP method`);
  }
  for (const field of ['allowHeaders', 'exposeHeaders']) {
    for (const name of cors.field(field).items()) if (name.text !== '*') checkHeaderName(name.text, name);
  }
  checkDuration(cors.field('maxAge'));
}

/** Warns of entries that no request can reach, because the first entry that matches is taken. */
export function httpRouteReachability(routes: readonly Place[]): void {
  const seen: { conditions: unknown; by: string }[] = [];
  let catchAll: string | undefined;
  for (const [index, route] of routes.entries()) {
    const name = route.field('name').text === '' ? `#${index}` : `"${route.field('name').text}"`;
    if (catchAll !== undefined) {
      route.warn(
        `virtualService rule ${name} not used (rule ${catchAll} before it has no matches and takes every request)`,
      );
      continue;
    }
    const matches = route.field('match').items();
    if (matches.length === 0) {
      catchAll = name;
      continue;
    }
    for (const match of matches) {
      const { name: _, ...conditions } = match.fields;
      const earlier = seen.find((one) => sameJson(one.conditions, conditions));
      if (earlier === undefined) seen.push({ conditions, by: name });
      else match.warn(`virtualService rule ${name} match is not used (duplicate of one in rule ${earlier.by})`);
    }
  }
}
