// Faults, cross-origin sharing and mirrors: which level decides, for whom, and how often.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import type { CorsPolicy } from '../src/cors.ts';
import type { FaultPolicy } from '../src/fault.ts';
import { errorsOf, forward, request, routes, seededDraw, tableOf } from './support.ts';

const FAULT = 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault';
const CORS = 'type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy';

const faults = (config: JsonObject): JsonObject => ({
  typed_per_filter_config: { 'envoy.filters.http.fault': { '@type': FAULT, ...config } },
});
const abort = (status: number, percent: number): JsonObject => ({
  abort: { http_status: status, percentage: { numerator: percent, denominator: 'HUNDRED' } },
});
const route = (more: JsonObject, action: JsonObject = { cluster: 'c' }): JsonObject => ({
  match: { prefix: '/' },
  route: action,
  ...more,
});

function faultOf(config: JsonObject): FaultPolicy {
  const { fault } = forward(tableOf(routes([route(faults(config))]))).filters;
  assert.ok(fault);
  return fault;
}

describe('faults', () => {
  test('the share of aborted requests is the one asked for', () => {
    const fault = faultOf(abort(503, 75));
    const draw = seededDraw(7);
    const n = 20_000;
    let aborted = 0;
    for (let i = 0; i < n; i++) if (fault.abort(draw) !== undefined) aborted++;
    // Six standard deviations of a binomial count: sqrt(n p (1 - p)).
    assert.ok(Math.abs(aborted - 0.75 * n) < 6 * Math.sqrt(n * 0.75 * 0.25), String(aborted));
    assert.deepEqual(
      fault.abort(() => 0.7499),
      { kind: 'http', status: 503 },
    );
    assert.equal(
      fault.abort(() => 0.75),
      undefined,
    );
  });

  test('nothing is drawn where nothing is left to chance', () => {
    const never = (): number => assert.fail('a draw was made');
    assert.deepEqual(faultOf(abort(500, 100)).abort(never), { kind: 'http', status: 500 });
    assert.equal(faultOf(abort(500, 0)).abort(never), undefined);
    assert.equal(faultOf({ abort: { http_status: 500 } }).abort(never), undefined, 'no percentage, no abort');
    const delay = { fixed_delay: '5s', percentage: { numerator: 1_000_000, denominator: 'MILLION' } };
    assert.equal(faultOf({ delay }).delayMs(never), 5000);
  });

  test('a fault may be for some requests and one cluster only', () => {
    const fault = faultOf({
      ...abort(500, 100),
      upstream_cluster: 'c',
      headers: [{ name: 'x', string_match: { exact: '1' } }],
    });
    assert.equal(fault.applies(request({ headers: { x: '1' } }), 'c'), true);
    assert.equal(fault.applies(request({ headers: { x: '2' } }), 'c'), false);
    assert.equal(fault.applies(request({ headers: { x: '1' } }), 'd'), false);
  });

  test('the most specific level that names the filter decides', () => {
    const status = (table: ReturnType<typeof tableOf>): unknown => {
      const answer = forward(table).filters.fault?.abort(() => 0);
      return answer?.kind === 'http' ? answer.status : answer;
    };
    const host = faults(abort(501, 100));
    const whole = faults(abort(500, 100));
    assert.equal(status(tableOf(routes([route({})], {}, whole))), 500);
    assert.equal(status(tableOf(routes([route({})], host, whole))), 501);
    assert.equal(status(tableOf(routes([route(faults(abort(502, 100)))], host, whole))), 502);
    const weighted = { weighted_clusters: { clusters: [{ name: 'c', weight: 1, ...faults(abort(504, 100)) }] } };
    assert.equal(status(tableOf(routes([route(faults(abort(502, 100)), weighted)], host))), 504);
  });

  test('what would silently not happen is refused', () => {
    const of = (config: JsonObject) => errorsOf(routes([route(faults(config))])).join();
    assert.match(of(abort(600, 1)), /abort: http_status 600 is outside 200 to 599/);
    assert.match(of({ abort: { header_abort: {}, percentage: { numerator: 1 } } }), /header_abort is not supported/);
    assert.match(of({ delay: { header_delay: {} } }), /header_delay is not supported/);
    assert.match(
      of({ response_rate_limit: { fixed_limit: { limit_kbps: 1 } } }),
      /response_rate_limit is not supported/,
    );
  });
});

describe('cross-origin sharing', () => {
  function corsOf(config: JsonObject): CorsPolicy {
    const cors = { typed_per_filter_config: { 'envoy.filters.http.cors': { '@type': CORS, ...config } } };
    const policy = forward(tableOf(routes([route(cors)]))).filters.cors;
    assert.ok(policy);
    return policy;
  }
  const policy: JsonObject = {
    allow_origin_string_match: [{ exact: 'http://shop.example' }],
    allow_methods: 'POST,GET',
    allow_headers: 'X-Foo-Bar',
    expose_headers: 'X-Seen',
    max_age: '86400',
  };
  const preflight = (origin: string) =>
    request({ method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PUT' } });
  const headers = (decision: ReturnType<CorsPolicy['decide']>) =>
    decision.kind === 'pass'
      ? decision.kind
      : decision.responseHeaders.map((edit) => (edit.op === 'set' ? `${edit.name}: ${edit.value}` : edit.op));

  test('a preflight is answered with all that is allowed, whatever it asks for', () => {
    const decision = corsOf(policy).decide(preflight('http://shop.example'));
    assert.equal(decision.kind, 'preflight');
    assert.deepEqual(headers(decision), [
      'access-control-allow-origin: http://shop.example',
      'access-control-allow-methods: POST,GET',
      'access-control-allow-headers: X-Foo-Bar',
      'access-control-max-age: 86400',
    ]);
  });

  test('a request goes on, and its answer says who may read it', () => {
    const decision = corsOf({ ...policy, allow_credentials: true }).decide(
      request({ headers: { origin: 'http://shop.example' } }),
    );
    assert.equal(decision.kind, 'allow');
    assert.deepEqual(headers(decision), [
      'access-control-allow-origin: http://shop.example',
      'access-control-allow-credentials: true',
      'access-control-expose-headers: X-Seen',
    ]);
  });

  test('strangers get nothing, and their preflights go on unless they are to be answered here', () => {
    assert.equal(corsOf(policy).decide(preflight('http://evil.example')).kind, 'pass');
    assert.equal(corsOf(policy).decide(request({ headers: { origin: 'http://evil.example' } })).kind, 'pass');
    assert.equal(corsOf(policy).decide(request()).kind, 'pass');
    const answered = corsOf({ ...policy, forward_not_matching_preflights: false }).decide(
      preflight('http://evil.example'),
    );
    assert.deepEqual(answered, { kind: 'preflight', responseHeaders: [] });
  });
});

describe('mirrors', () => {
  const mirrored = (policies: JsonObject[]) =>
    forward(tableOf(routes([route({}, { cluster: 'c', request_mirror_policies: policies })])));

  test('every request is copied unless a share is given, and the host is marked unless told not to', () => {
    const { mirrors } = mirrored([
      { cluster: 'm' },
      { cluster: 'n', runtime_fraction: { default_value: { numerator: 5 } }, disable_shadow_host_suffix_append: true },
      { cluster_header: 'x-mirror' },
    ]);
    assert.deepEqual(
      mirrors.map(({ share, marksHost }) => ({ share, marksHost })),
      [
        { share: 1, marksHost: true },
        { share: 0.05, marksHost: false },
        { share: 1, marksHost: true },
      ],
    );
    assert.equal(mirrors[2]?.cluster(request({ headers: { 'x-mirror': 'z' } })), 'z');
  });
});
