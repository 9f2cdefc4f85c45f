// Looks at a connection's first bytes for as long as its listener filters need to, then hands it on with those bytes.
import type { Socket } from 'node:net';
import type { ListenerTable } from '../runtime/tables.ts';
import { inspectHttp } from './http-inspector.ts';
import { inspectTls } from './tls-inspector.ts';

export interface Inspection {
  /** `tls` or `raw_buffer`, as filter chain matches name it. */
  readonly transportProtocol: string;
  readonly applicationProtocols: readonly string[];
  readonly serverName: string | undefined;
}

export const NOTHING_KNOWN: Inspection = {
  transportProtocol: 'raw_buffer',
  applicationProtocols: [],
  serverName: undefined,
};

export type InspectionOutcome =
  | { readonly kind: 'known'; readonly inspection: Inspection; readonly bytes: Buffer }
  /** Time is up and the listener does not go on without knowing. */
  | { readonly kind: 'timeout' }
  /** The client left. */
  | { readonly kind: 'closed' };

/** Enough for any first line or ClientHello; what is longer is taken for raw bytes. */
const MAX_BYTES = 80 * 1024;

/** The filters that apply to a destination port, or undefined when there is nothing to look for. */
export function inspectionFor(table: ListenerTable, port: number): Pick<Wanted, 'tls' | 'http'> | undefined {
  const tls = table.inspectTls && table.tlsInspectionDisabled?.(port) !== true;
  const http = table.inspectHttp && table.httpInspectionDisabled?.(port) !== true;
  return tls || http ? { tls, http } : undefined;
}

interface Wanted {
  readonly tls: boolean;
  readonly http: boolean;
  /** Envoy: listener_filters_timeout; 0 waits for ever, and with it a server that should speak first. */
  readonly timeoutMs: number;
  readonly continueOnTimeout: boolean;
}

/** What the bytes so far say; undefined when more are needed. TLS comes before HTTP: inside it nothing is to be seen. */
function judge(bytes: Buffer, wanted: Pick<Wanted, 'tls' | 'http'>): Inspection | undefined {
  if (wanted.tls) {
    const tls = inspectTls(bytes);
    if (tls.kind === 'more') return undefined;
    if (tls.kind === 'tls')
      return { transportProtocol: 'tls', applicationProtocols: tls.protocols, serverName: tls.serverName };
  }
  if (!wanted.http) return NOTHING_KNOWN;
  const http = inspectHttp(bytes);
  if (http === 'more') return undefined;
  return http === 'not-http' ? NOTHING_KNOWN : { ...NOTHING_KNOWN, applicationProtocols: [http] };
}

/** `done` is called once; the socket is paused then, with none of this file's listeners on it. */
export function inspect(socket: Socket, wanted: Wanted, done: (outcome: InspectionOutcome) => void): void {
  let bytes: Buffer = Buffer.alloc(0);
  let timer: NodeJS.Timeout | undefined;
  const finish = (outcome: InspectionOutcome): void => {
    clearTimeout(timer);
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('close', onClose);
    socket.off('error', ignoreError);
    socket.pause();
    done(outcome);
  };
  const onData = (chunk: Buffer): void => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const inspection = judge(bytes, wanted) ?? (bytes.length > MAX_BYTES ? NOTHING_KNOWN : undefined);
    if (inspection !== undefined) finish({ kind: 'known', inspection, bytes });
  };
  // Nothing more will come: whatever these bytes are, they are not a protocol we know.
  const onEnd = (): void =>
    finish(bytes.length === 0 ? { kind: 'closed' } : { kind: 'known', inspection: NOTHING_KNOWN, bytes });
  const onClose = (): void => finish({ kind: 'closed' });
  const onTimeout = (): void =>
    finish(wanted.continueOnTimeout ? { kind: 'known', inspection: NOTHING_KNOWN, bytes } : { kind: 'timeout' });
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', onClose);
  socket.on('error', ignoreError);
  if (wanted.timeoutMs > 0) timer = setTimeout(onTimeout, wanted.timeoutMs);
  socket.resume();
}

/** An error is followed by 'close', which is what counts here. */
function ignoreError(): undefined {
  return undefined;
}
