// A run's result as fortio prints it, and as its JSON.
import { hostname } from 'node:os';
import { formatDuration, formatG } from './go-format.ts';
import { Histogram, type HistogramData, histogramLines, percentileLines, sumLine } from './histogram.ts';
import type { RunOptions, RunResult } from './run.ts';
import { type RequestOptions, VERSION } from './target.ts';

export interface ReportOptions extends RunOptions, RequestOptions {
  readonly url: string;
  readonly labels: string;
  readonly percentiles: readonly number[];
}

export function reportLines(result: RunResult, options: ReportOptions): string[] {
  const { durations, errors, clients, codes, calls, durationNs, plan } = result;
  const { percentiles, quiet, qps } = options;
  const shown = (title: string, data: HistogramData): string[] =>
    quiet ? [sumLine(title, data), ...percentileLines(data)] : histogramLines(title, data);
  const lines: string[] = [];
  if (qps > 0) {
    if (result.sleptTooLate > 0) {
      const share = (100 * result.sleptTooLate) / result.sleeps.count;
      lines.push(`WARNING ${share.toFixed(2)}% of sleep were falling behind`);
    }
    lines.push(result.sleeps.line('Sleep times'));
  }
  lines.push(...shown('Aggregated Function Time', durations.export(percentiles)));
  lines.push(...shown('Error cases', errors.export(quiet ? [] : percentiles)));
  lines.push('# Socket and IP used for each connection:');
  const allConnections = new Histogram(options.resolution);
  clients.forEach(({ sockets, connections, addresses }, thread) => {
    const where = [...addresses.keys()].join(', ');
    lines.push(
      `[${thread}] ${String(sockets).padStart(3)} socket used, resolved to ${where}, connection ${connections.counter.line('timing')}`,
    );
  });
  const connectionData = connectionTimes(clients, allConnections, percentiles);
  const title = codes.size === 1 && codes.has(200) ? 'Connection time (s)' : 'Connection time histogram (s)';
  if (!quiet) {
    lines.push(
      ...(title === 'Connection time (s)' ? [sumLine(title, connectionData)] : histogramLines(title, connectionData)),
    );
  }
  const used = clients.reduce((sum, { sockets }) => sum + sockets, 0);
  lines.push(`Sockets used: ${used} (for perfect keepalive, would be ${plan.threads})`);
  lines.push(`Uniform: ${options.uniform}, Jitter: ${options.jitter}, Catchup allowed: ${!options.noCatchUp}`);
  lines.push('IP addresses distribution:');
  for (const [address, count] of addressCounts(clients)) lines.push(`${address}: ${count}`);
  for (const [code, count] of [...codes].sort(([a], [b]) => a - b)) {
    lines.push(`Code ${String(code).padStart(3)} : ${count} (${((100 * count) / calls).toFixed(1)} %)`);
  }
  if (!quiet) {
    lines.push(result.headerSizes.counter.line('Response Header Sizes'));
    lines.push(result.sizes.counter.line('Response Body/Total Sizes'));
  }
  const averageMs = (durations.counter.average * 1000).toFixed(3);
  const rate = (calls / (durationNs / 1e9)).toFixed(1);
  lines.push(`All done ${calls} calls (plus ${result.warmUpCalls} warmup) ${averageMs} ms avg, ${rate} qps`);
  return lines;
}

type Clients = RunResult['clients'];

function connectionTimes(clients: Clients, into: Histogram, percentiles: readonly number[]): HistogramData {
  for (const { connections } of clients) into.merge(connections);
  return into.export(percentiles);
}

function addressCounts(clients: Clients): [string, number][] {
  const counts = new Map<string, number>();
  for (const { addresses } of clients) {
    for (const [address, count] of addresses) counts.set(address, (counts.get(address) ?? 0) + count);
  }
  return [...counts].sort(([, a], [, b]) => b - a);
}

/** fortio's names and order. What is not here (certificates, h2, gRPC) has the value it has when it is not used. */
export function reportJson(result: RunResult, options: ReportOptions): object {
  const { percentiles, url, exactly, durationMs, qps } = options;
  const labels =
    options.labels === '' ? `${url.replace(/^https?:\/\//, '').replace(/\/$/, '')} , ${hostname()}` : options.labels;
  const stamp = result.startTime.toISOString().slice(0, 19).replace('T', '-').replaceAll(':', '');
  const sockets = result.clients.map((client) => client.sockets);
  return {
    RunType: 'HTTP',
    Labels: labels,
    StartTime: result.startTime.toISOString(),
    RequestedQPS: qps === 0 ? 'max' : formatG(qps),
    RequestedDuration:
      exactly > 0 ? `exactly ${exactly} calls` : durationMs === 0 ? 'until stop' : formatDuration(durationMs * 1e6),
    ActualQPS: result.calls / (result.durationNs / 1e9),
    ActualDuration: Math.round(result.durationNs),
    NumThreads: result.plan.threads,
    Version: VERSION,
    DurationHistogram: result.durations.export(percentiles),
    ErrorsDurationHistogram: result.errors.export(percentiles),
    Exactly: exactly,
    Jitter: options.jitter,
    Uniform: options.uniform,
    NoCatchUp: options.noCatchUp,
    RunID: 0,
    AccessLoggerInfo: '',
    ID: `${stamp}_${labels.replace(/[^A-Za-z0-9]+/g, '_').replace(/^_|_$/g, '')}`.slice(0, 96),
    RetCodes: Object.fromEntries([...result.codes].sort(([a], [b]) => a - b)),
    IPCountMap: Object.fromEntries(addressCounts(result.clients)),
    Insecure: options.insecure,
    MTLS: false,
    CACert: '',
    Cert: '',
    Key: '',
    UnixDomainSocket: '',
    URL: url,
    NumConnections: 1,
    Compression: false,
    DisableFastClient: false,
    HTTP10: options.http10,
    H2: false,
    DisableKeepAlive: !options.keepAlive,
    AllowHalfClose: false,
    FollowRedirects: false,
    Resolve: '',
    HTTPReqTimeOut: options.timeoutMs * 1e6,
    UserCredentials: '',
    ContentType: '',
    Payload: Buffer.from(options.payload, 'utf8').toString('base64'),
    MethodOverride: options.method,
    LogErrors: true,
    SequentialWarmup: false,
    ConnReuseRange: [0, 0],
    NoResolveEachConn: false,
    Offset: 0,
    Resolution: options.resolution,
    Sizes: result.sizes.export(),
    HeaderSizes: result.headerSizes.export(),
    Sockets: sockets,
    SocketCount: sockets.reduce((sum, count) => sum + count, 0),
    ConnectionStats: connectionTimes(result.clients, new Histogram(options.resolution), percentiles),
    AbortOn: options.abortOn,
  };
}
