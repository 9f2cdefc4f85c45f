// The headers that join the spans of one request.
import type { IncomingHttpHeaders } from 'node:http';

// What lets the mesh join the spans of one request: the proxy can't tell which call belongs to which, the app can
// (Istio, "Distributed tracing: trace context propagation").
const TRACING_HEADERS = [
  'x-request-id',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
] as const;

/** The tracing headers of a request, to be sent along with what it causes. Node gives header names in lower case. */
export function tracingHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = {};
  for (const name of TRACING_HEADERS) {
    const value = headers[name];
    if (value !== undefined) out[name] = value;
  }
  return out;
}
