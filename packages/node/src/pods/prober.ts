// Asks a container's probes and tells what they mean for it.
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Socket } from 'node:net';
import { type Clock, sleep } from '@varka/kube/client/clock.ts';
import type { Container, HTTPGetAction, Probe } from 'kubernetes-types/core/v1.d.ts';
import { firstProbe, observe, type ProbeKind, timingOf } from './probe-state.ts';

/** The kubelet reads no more of an answer than this. */
const MAX_BODY = 10 * 1024;
const MAX_REDIRECTS = 10;

export type ProbeResult = { readonly ok: true } | { readonly ok: false; readonly message: string };

/** How a prober reaches the container. */
export interface ProbeTarget {
  readonly podIp: string;
  /** Probes leave from here: a pod's capture lets this address through to the application. */
  readonly sourceAddress: string;
  readonly container: Container;
  /** Without a timeout of its own, for as long as the signal lets it. */
  exec(command: readonly string[], timeoutMs: number | undefined, signal: AbortSignal): Promise<ProbeResult>;
}

export async function probeOnce(
  probe: Probe,
  target: ProbeTarget,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  if (probe.exec !== undefined) return target.exec(probe.exec.command ?? [], timeoutMs, signal);
  if (probe.httpGet !== undefined) return httpGet(probe.httpGet, target, within);
  if (probe.tcpSocket !== undefined) {
    const port = portOf(probe.tcpSocket.port, target.container);
    if (typeof port === 'string') return { ok: false, message: port };
    return tcpConnect(probe.tcpSocket.host ?? target.podIp, port, target, within);
  }
  return { ok: false, message: 'the probe has none of httpGet, tcpSocket, exec: other kinds are not supported' };
}

/** A number, or a sentence when the name is nobody's. */
function portOf(port: string | number, container: Container): number | string {
  const number = /^\d+$/.test(String(port))
    ? Number(port)
    : container.ports?.find(({ name }) => name === port)?.containerPort;
  if (number === undefined) return `container ${container.name} has no port named ${JSON.stringify(port)}`;
  return number >= 1 && number <= 65_535 ? number : `invalid port number: ${number}`;
}

/** Also runs `lifecycle` handlers: those go by the same rules. */
export async function httpGet(action: HTTPGetAction, target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  const port = portOf(action.port, target.container);
  if (typeof port === 'string') return { ok: false, message: port };
  const scheme = (action.scheme ?? 'HTTP').toLowerCase();
  const path = action.path ?? '/';
  let url: URL;
  try {
    url = new URL(`${scheme}://${action.host ?? target.podIp}:${port}${path.startsWith('/') ? path : `/${path}`}`);
  } catch {
    return { ok: false, message: `not a URL: ${scheme}://${action.host ?? target.podIp}:${port}${path}` };
  }
  // The kubelet's own; a header of the probe's with an empty value takes one off.
  const headers: Record<string, string> = { 'User-Agent': 'kube-probe/1.35', Accept: '*/*' };
  for (const { name, value } of action.httpHeaders ?? []) headers[name] = value;
  try {
    for (let redirects = 0; ; redirects++) {
      const { status, location } = await exchange(url, headers, target.sourceAddress, signal);
      if (status < 200 || status >= 400) return { ok: false, message: `HTTP probe failed with statuscode: ${status}` };
      const next = status >= 300 && location !== undefined ? new URL(location, url) : undefined;
      // The kubelet follows redirects on the same host and takes one that leads elsewhere for a success.
      if (next === undefined || next.hostname !== url.hostname) return { ok: true };
      if (redirects === MAX_REDIRECTS) return { ok: false, message: `stopped after ${MAX_REDIRECTS} redirects` };
      url = next;
    }
  } catch (error) {
    const reason = signal.aborted ? 'context deadline exceeded' : (error as Error).message;
    return { ok: false, message: `Get "${url}": ${reason}` };
  }
}

function exchange(
  url: URL,
  headers: Record<string, string>,
  localAddress: string,
  signal: AbortSignal,
): Promise<{ status: number; location: string | undefined }> {
  return new Promise((resolve, reject) => {
    const options = { headers, localAddress, signal, agent: false } as const;
    const onResponse = (response: IncomingMessage): void => {
      let read = 0;
      const done = (): void => {
        resolve({ status: response.statusCode ?? 0, location: response.headers.location });
        response.destroy();
      };
      response.on('data', (chunk: Buffer) => {
        read += chunk.length;
        if (read > MAX_BODY) done();
      });
      response.on('end', done);
      response.on('error', reject);
    };
    const outgoing =
      url.protocol === 'https:'
        ? // "the kubelet … skips the certificate verification" (Kubernetes: HTTP probes).
          httpsRequest(url, { ...options, rejectUnauthorized: false }, onResponse)
        : httpRequest(url, options, onResponse);
    outgoing.on('error', reject);
    outgoing.end();
  });
}

function tcpConnect(host: string, port: number, target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = new Socket();
    const finish = (result: ProbeResult): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(result);
    };
    const onAbort = (): void => finish({ ok: false, message: `dial tcp ${host}:${port}: i/o timeout` });
    signal.addEventListener('abort', onAbort);
    socket.on('error', (error) => finish({ ok: false, message: `dial tcp ${host}:${port}: ${error.message}` }));
    socket.connect({ host, port, localAddress: target.sourceAddress }, () => finish({ ok: true }));
  });
}

export interface ProbeListener {
  /** Reached the success threshold, or fell under the failure threshold. */
  onVerdict(kind: ProbeKind, ok: boolean): void;
  /** A failure that counts. */
  onFailure(kind: ProbeKind, message: string): void;
}

/** Probes until the signal aborts. A startup or liveness probe ends with its first failed verdict. */
export async function runProbe(
  kind: ProbeKind,
  probe: Probe,
  target: ProbeTarget,
  listener: ProbeListener,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const timing = timingOf(probe);
  let state = firstProbe(kind, timing, clock.now());
  for (;;) {
    await sleep(clock, state.nextDelayMs, signal);
    if (signal.aborted) return;
    const result = await probeOnce(probe, target, timing.timeoutMs, signal);
    if (signal.aborted) return;
    const before = state.verdict;
    const step = observe(kind, timing, state, result.ok, clock.now());
    state = step.state;
    if (!result.ok && step.counted) listener.onFailure(kind, result.message);
    if (state.verdict !== before && state.verdict !== 'unknown') {
      listener.onVerdict(kind, state.verdict === 'success');
      const finished = kind === 'startup' || (kind === 'liveness' && state.verdict === 'failure');
      if (finished) return;
    }
  }
}
