// Which headers of a request go on to the next service.
import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { tracingHeaders } from '@varka/demo-kit/tracing-headers.ts';

type Headers = Record<string, string | string[]>;

/** The trace, who the user is, and how often to fail. */
export function forwardedHeaders(headers: IncomingHttpHeaders): Headers {
  const forwarded: Headers = tracingHeaders(headers);
  for (const name of ['x-ot-span-context', 'x-dev-user', 'fail']) {
    const value = headers[name];
    if (value !== undefined && value !== '') forwarded[name] = value;
  }
  return forwarded;
}

/** A span of its own below the caller's, or the first of a new trace (B3 propagation, always sampled). */
export function ownSpan(headers: IncomingHttpHeaders): Headers {
  const hex = (value: string | string[] | undefined, digits: RegExp) =>
    typeof value === 'string' && digits.test(value) ? value : undefined;
  const parent = hex(headers['x-b3-spanid'], /^[0-9a-f]{16}$/i);
  return {
    'x-b3-traceid': hex(headers['x-b3-traceid'], /^([0-9a-f]{16}){1,2}$/i) ?? randomBytes(16).toString('hex'),
    'x-b3-spanid': randomBytes(8).toString('hex'),
    ...(parent === undefined ? {} : { 'x-b3-parentspanid': parent }),
    'x-b3-sampled': '1',
  };
}
