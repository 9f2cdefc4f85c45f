// Compiles Envoy's format strings and JSON formats into loggers (Envoy: "Access logging", format rules and operators).
import { hostname } from 'node:os';
import type { AccessLogEntry, AccessLogger } from './access-log.ts';
import type { LogSink } from './log-sink.ts';
import { compileTime } from './log-time.ts';

/** Istio's default text format (pilot/pkg/model/telemetry_logging.go). */
export const ISTIO_TEXT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% ' +
  '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% ' +
  '%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n';

/** Reads one thing off an entry; undefined is absent. */
type Operator = (entry: AccessLogEntry) => string | number | undefined;

/** A value of a JSON format: text with operators, a constant, or more of the same. */
export type JsonFormat =
  | string
  | number
  | boolean
  | null
  | readonly JsonFormat[]
  | { readonly [key: string]: JsonFormat };

/** Throws an Error that names the operator it does not know. */
export function compileTextLogger(format: string, sink: LogSink): AccessLogger {
  const parts = parse(format);
  return { log: (entry) => sink.write(renderText(parts, entry)) };
}

/** One JSON object a line. A value that is a single operator keeps its type, and is null when absent. */
export function compileJsonLogger(fields: Readonly<Record<string, JsonFormat>>, sink: LogSink): AccessLogger {
  const render = compileJson(fields);
  return { log: (entry) => sink.write(`${render(entry)}\n`) };
}

type Part = string | Operator;

function renderText(parts: readonly Part[], entry: AccessLogEntry): string {
  let line = '';
  for (const part of parts) line += typeof part === 'string' ? part : (part(entry) ?? '-');
  return line;
}

function compileJson(format: JsonFormat): (entry: AccessLogEntry) => string {
  if (typeof format === 'string') {
    const parts = parse(format);
    const only = parts.length === 1 ? parts[0] : undefined;
    if (typeof only === 'function') return (entry) => JSON.stringify(only(entry) ?? null);
    return (entry) => JSON.stringify(renderText(parts, entry));
  }
  if (format === null || typeof format !== 'object') {
    const text = JSON.stringify(format);
    return () => text;
  }
  if (Array.isArray(format)) {
    const items = (format as readonly JsonFormat[]).map(compileJson);
    return (entry) => `[${items.map((item) => item(entry)).join(',')}]`;
  }
  const members = Object.entries(format).map(
    ([key, value]) => [`${JSON.stringify(key)}:`, compileJson(value)] as const,
  );
  return (entry) => `{${members.map(([key, value]) => key + value(entry)).join(',')}}`;
}

/** `%NAME%`, `%NAME(argument)%`, `%NAME(argument):length%`, and `%%` for a percent sign. */
const OPERATOR = /%(?:%|([A-Z0-9_]+)(?:\((.*?)\))?(?::(\d+))?%)/y;

function parse(format: string): Part[] {
  const parts: Part[] = [];
  let literal = '';
  let position = 0;
  while (position < format.length) {
    const percent = format.indexOf('%', position);
    if (percent < 0) break;
    literal += format.slice(position, percent);
    OPERATOR.lastIndex = percent;
    const match = OPERATOR.exec(format);
    if (match === null)
      throw new Error(
        `access log format: '${format.slice(percent, percent + 40)}' is no operator; write %% for a percent sign`,
      );
    position = OPERATOR.lastIndex;
    const [, name, argument, length] = match;
    if (name === undefined) {
      literal += '%';
      continue;
    }
    if (literal !== '') parts.push(literal);
    literal = '';
    parts.push(limited(operatorOf(name, argument), length));
  }
  literal += format.slice(position);
  if (literal !== '') parts.push(literal);
  return parts;
}

function limited(operator: Operator, length: string | undefined): Operator {
  if (length === undefined) return operator;
  const most = Number(length);
  return (entry) => {
    const value = operator(entry);
    return typeof value === 'string' ? value.slice(0, most) : value;
  };
}

/** Envoy prints these with `_` for blanks, so that a line can be split at blanks. */
function unspaced(value: string | undefined): string | undefined {
  return value?.replaceAll(' ', '_');
}

function withoutPort(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}

function portOf(address: string): number | undefined {
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  return Number.isInteger(port) ? port : undefined;
}

const HOSTNAME = hostname();

const PLAIN: Readonly<Record<string, Operator>> = {
  PROTOCOL: (entry) => entry.protocol,
  RESPONSE_CODE: (entry) => entry.responseCode,
  RESPONSE_FLAGS: (entry) => (entry.responseFlags === '' ? '-' : entry.responseFlags),
  RESPONSE_CODE_DETAILS: (entry) => unspaced(entry.responseCodeDetails),
  CONNECTION_TERMINATION_DETAILS: (entry) => unspaced(entry.connectionTerminationDetails),
  UPSTREAM_TRANSPORT_FAILURE_REASON: (entry) => unspaced(entry.upstreamTransportFailureReason),
  BYTES_RECEIVED: (entry) => entry.bytesReceived,
  BYTES_SENT: (entry) => entry.bytesSent,
  DURATION: (entry) => entry.durationMs,
  UPSTREAM_HOST: (entry) => entry.upstreamHost,
  UPSTREAM_CLUSTER: (entry) => entry.upstreamCluster,
  UPSTREAM_CLUSTER_RAW: (entry) => entry.upstreamCluster,
  UPSTREAM_LOCAL_ADDRESS: (entry) => entry.upstreamLocalAddress,
  DOWNSTREAM_LOCAL_ADDRESS: (entry) => entry.downstreamLocalAddress,
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: (entry) => withoutPort(entry.downstreamLocalAddress),
  DOWNSTREAM_LOCAL_PORT: (entry) => portOf(entry.downstreamLocalAddress),
  DOWNSTREAM_REMOTE_ADDRESS: (entry) => entry.downstreamRemoteAddress,
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: (entry) => withoutPort(entry.downstreamRemoteAddress),
  DOWNSTREAM_REMOTE_PORT: (entry) => portOf(entry.downstreamRemoteAddress),
  REQUESTED_SERVER_NAME: (entry) => entry.requestedServerName,
  ROUTE_NAME: (entry) => entry.routeName,
  HOSTNAME: () => HOSTNAME,
};

function operatorOf(name: string, argument: string | undefined): Operator {
  const plain = PLAIN[name];
  if (plain !== undefined) return plain;
  switch (name) {
    case 'START_TIME': {
      const render = compileTime(argument);
      return (entry) => render(entry.startTime);
    }
    case 'REQ':
      return header(name, argument, (entry, field) => requestHeader(entry, field));
    case 'RESP':
      return header(name, argument, (entry, field) => entry.responseHeader(field));
    case 'TRAILER':
      // Trailers pass through unread.
      return () => undefined;
    case 'ENVIRONMENT': {
      const value = argument === undefined ? undefined : process.env[argument];
      return () => value;
    }
    default:
      throw new Error(`access log format: the operator %${name}% is not known`);
  }
}

/** Names are fields of the request, or Envoy's pseudo-fields. */
function requestHeader(entry: AccessLogEntry, field: string): string | undefined {
  return field === ':method' ? entry.method : entry.requestHeader(field);
}

/** `X?Y` is Y where X is absent. */
function header(
  operator: string,
  argument: string | undefined,
  read: (entry: AccessLogEntry, field: string) => string | undefined,
): Operator {
  const [first, second] = (argument ?? '').toLowerCase().split('?');
  if (first === undefined || first === '') {
    throw new Error(
      `access log format: %${operator}% needs a header name in parentheses, such as %${operator}(user-agent)%`,
    );
  }
  if (second === undefined) return (entry) => read(entry, first);
  return (entry) => read(entry, first) ?? read(entry, second);
}
