// Side by side: client → {nothing, Varka's proxy, nginx, HAProxy} → server, on loopback, for a bounded time.
//   node bench/proxy.ts [--runs 5] [--seconds 4] [--connections 32] [--path /] [--json]
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CONTENDERS, missingProgram, startServer } from './contenders.ts';
import { type LoadResult, loadWithNode, loadWithWrk } from './load.ts';
import { freePort, type MeasuredProcess } from './measured-process.ts';

interface Run {
  readonly load: LoadResult;
  /** Processor time of the proxy for one request; undefined where there is no proxy. */
  readonly cpuMicroseconds: number | undefined;
}

interface Entry {
  readonly name: string;
  readonly port: number;
  readonly process: MeasuredProcess | undefined;
  readonly runs: Run[];
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    connections: { type: 'string', default: '32' },
    path: { type: 'string', default: '/' },
    json: { type: 'boolean', default: false },
  },
});

function count(name: 'runs' | 'seconds' | 'connections', most: number): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Error(`--${name} must be a whole number from 1 to ${most}, not '${values[name]}'`);
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function spread(numbers: readonly number[]): string {
  return `${Math.min(...numbers).toFixed(1)}–${Math.max(...numbers).toFixed(1)}`;
}

async function measure(entry: Entry, seconds: number, connections: number): Promise<Run> {
  const offer = missingProgram('wrk', 'wrk') === undefined ? loadWithWrk : loadWithNode;
  const before = entry.process?.cpuMicroseconds() ?? 0;
  const load = await offer({ port: entry.port, connections, seconds, path: values.path });
  const used = entry.process === undefined ? undefined : entry.process.cpuMicroseconds() - before;
  return { load, cpuMicroseconds: used === undefined ? undefined : used / Math.max(load.requests, 1) };
}

function report(entries: readonly Entry[]): void {
  const cpuOf = (entry: Entry) => entry.runs.flatMap((run) => run.cpuMicroseconds ?? []);
  const nginx = entries.find((entry) => entry.name === 'nginx');
  const rows = entries.map((entry) => {
    const cpu = cpuOf(entry);
    // Paired: each run is set against the nginx run beside it, so that a busy moment of the machine counts for both.
    const ratios = nginx === undefined ? [] : cpu.map((value, run) => value / (cpuOf(nginx)[run] ?? Number.NaN));
    return {
      name: entry.name,
      cpuMicrosecondsPerRequest: cpu.length === 0 ? undefined : median(cpu),
      cpuSpread: cpu.length === 0 ? undefined : spread(cpu),
      ratioToNginx: ratios.length === 0 ? undefined : median(ratios),
      requestsPerSecond: median(entry.runs.map((run) => run.load.requests / run.load.seconds)),
      p50Ms: median(entry.runs.map((run) => run.load.p50Ms ?? Number.NaN)),
      p99Ms: median(entry.runs.map((run) => run.load.p99Ms ?? Number.NaN)),
      failures: entry.runs.reduce((sum, run) => sum + run.load.failures, 0),
      residentMegabytes: entry.process === undefined ? undefined : Math.round(entry.process.residentKilobytes() / 1024),
    };
  });
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
  if (values.json) {
    console.log(JSON.stringify({ machine, load: values, rows }, undefined, 2));
    return;
  }
  console.log(
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; ${values.runs} paired runs of ${values.seconds} s, ${values.connections} connections, path ${values.path}; medians`,
  );
  console.table(
    Object.fromEntries(
      rows.map((row) => [
        row.name,
        {
          'CPU µs/request': row.cpuMicrosecondsPerRequest?.toFixed(1) ?? '-',
          spread: row.cpuSpread ?? '-',
          '× nginx': row.ratioToNginx?.toFixed(2) ?? '-',
          'requests/s': Math.round(row.requestsPerSecond),
          'p50 ms': row.p50Ms.toFixed(2),
          'p99 ms': row.p99Ms.toFixed(2),
          failures: row.failures,
          'RSS MB': row.residentMegabytes ?? '-',
        },
      ]),
    ),
  );
}

async function main(): Promise<void> {
  const runs = count('runs', 50);
  const seconds = count('seconds', 60);
  const connections = count('connections', 1000);
  const directory = mkdtempSync(join(tmpdir(), 'varka-bench-'));
  const processes: MeasuredProcess[] = [];
  try {
    const serverPort = await freePort();
    processes.push(await startServer(join(directory, 'server'), serverPort));
    const entries: Entry[] = [{ name: 'direct', port: serverPort, process: undefined, runs: [] }];
    for (const contender of CONTENDERS) {
      if (contender.missing !== undefined) {
        console.error(`${contender.name} is left out: ${contender.missing}`);
        continue;
      }
      const port = await freePort();
      const process_ = await contender.start(join(directory, contender.name), port, serverPort);
      processes.push(process_);
      entries.push({ name: contender.name, port, process: process_, runs: [] });
    }
    const wrk = missingProgram('wrk', 'wrk');
    if (wrk !== undefined) console.error(`load comes from Node: ${wrk}`);
    // One short round that does not count: connections opened, code compiled.
    for (const entry of entries) await measure(entry, 1, connections);
    for (let run = 0; run < runs; run++) {
      for (const entry of entries) entry.runs.push(await measure(entry, seconds, connections));
    }
    report(entries);
  } finally {
    await Promise.all(processes.map((process_) => process_.stop()));
    rmSync(directory, { recursive: true, force: true });
  }
}

await main();
