// `fortio load` and `fortio curl`: flags in, report and exit code out. `varka load` is the same.
import { readFileSync, writeFileSync } from 'node:fs';
import { Client, isOk } from './client.ts';
import { FlagError, type FlagKinds, HelpAsked, type ParsedFlags, parseFlags } from './go-flags.ts';
import { Log } from './log.ts';
import { type ReportOptions, reportJson, reportLines } from './report.ts';
import { run, WarmUpError } from './run.ts';
import { prepareTarget, TargetError } from './target.ts';

const FLAGS: FlagKinds = {
  H: 'list',
  X: 'string',
  'abort-on': 'int',
  'allow-initial-errors': 'bool',
  c: 'int',
  curl: 'bool',
  'http1.0': 'bool',
  'https-insecure': 'bool',
  jitter: 'bool',
  json: 'string',
  k: 'bool',
  keepalive: 'bool',
  labels: 'string',
  loglevel: 'string',
  n: 'int',
  nocatchup: 'bool',
  p: 'string',
  payload: 'string',
  'payload-file': 'string',
  qps: 'float',
  quiet: 'bool',
  r: 'float',
  t: 'duration',
  timeout: 'duration',
  uniform: 'bool',
};

export const LOAD_FLAGS = `flags (as fortio's; those not listed here are not there):
  -H key:value            additional header; may be given several times
  -X method               instead of GET, or POST with a payload
  -c int                  connections, each with a thread of its own (default 4)
  -qps float              queries per second of all of them; 0 or less: as fast as possible (default 8)
  -n int                  exactly this many calls, instead of a duration
  -t duration             how long; 0: until interrupted (default 5s)
  -timeout duration       of one call (default 3s)
  -curl                   fetch once: headers to standard error, body to standard output
  -k, -https-insecure     do not verify certificates
  -keepalive              keep connections (default true; -keepalive=false for a new one each time)
  -http1.0                HTTP/1.0 instead of 1.1
  -payload string, -payload-file path
  -json path              the result as JSON, - for standard output
  -p string               percentiles (default 50,75,90,99,99.9)
  -r float                resolution of the histogram in seconds (default 0.001)
  -quiet                  less output
  -loglevel level         Debug Verbose Info Warning Error Critical Fatal (default Info)
  -labels string          in the JSON (default: the URL and this host)
  -abort-on code          end the run at the first answer with this code, -1 for none
  -allow-initial-errors   begin although the warm-up fails
  -uniform, -jitter, -nocatchup   how calls are spread over time`;

const DEFAULTS = { connections: 4, qps: 8, duration: 5e9, timeout: 3e9, percentiles: '50,75,90,99,99.9' };
const MAX_CONNECTIONS = 10_000;

/** Runs it and answers the exit code. `name` stands before the usage. */
export async function load(name: string, words: readonly string[], curl = false): Promise<number> {
  const log = new Log();
  let flags: ParsedFlags;
  try {
    flags = parseFlags(words, FLAGS);
  } catch (error) {
    if (error instanceof HelpAsked) {
      process.stdout.write(`usage: ${name} [flags] URL\n${LOAD_FLAGS}\n`);
      return 0;
    }
    if (!(error instanceof FlagError)) throw error;
    process.stderr.write(`${error.message}\nusage: ${name} [flags] URL\n${LOAD_FLAGS}\n`);
    return 2;
  }
  const fail = (message: string): number => {
    process.stderr.write(`${message}\n`);
    return 1;
  };
  if (!log.setLevel(flags.string('loglevel', 'Info')))
    return fail(`Error: -loglevel ${flags.string('loglevel', '')} is no level`);
  const [given, ...more] = flags.rest;
  if (given === undefined)
    return fail(`usage: ${name} [flags] URL\n${LOAD_FLAGS}\nError: ${name} needs a url or destination`);
  if (more.length > 0)
    return fail(`Error: ${name} takes one URL, after all flags; besides it there is: ${more.join(' ')}`);
  const hasScheme = /^https?:\/\//i.test(given);
  if (!hasScheme) log.warning(`Assuming http:// on missing scheme for '${given}'`);
  const url = hasScheme ? given : `http://${given}`;
  try {
    const options = optionsFrom(flags, url, log);
    return curl || flags.bool('curl', false)
      ? await fetchOnce(options)
      : await loadRun(options, flags.string('json', ''));
  } catch (error) {
    if (error instanceof TargetError || error instanceof WarmUpError)
      return fail(`Aborting because of ${error.message}`);
    throw error;
  }
}

function optionsFrom(flags: ParsedFlags, url: string, log: Log): ReportOptions {
  const connections = flags.number('c', DEFAULTS.connections);
  if (connections < 1 || connections > MAX_CONNECTIONS)
    throw new TargetError(`-c ${connections}: 1 to ${MAX_CONNECTIONS} connections`);
  const resolution = flags.number('r', 0.001);
  if (!(resolution > 0)) throw new TargetError(`-r ${resolution}: it must be above 0`);
  const percentiles = flags.string('p', DEFAULTS.percentiles).split(',').map(Number);
  if (percentiles.some((p) => !(p >= 0 && p <= 100)))
    throw new TargetError(`-p ${flags.string('p', '')}: numbers from 0 to 100, with commas`);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  return {
    url,
    threads: connections,
    qps: Math.max(0, flags.number('qps', DEFAULTS.qps)),
    exactly: Math.max(0, flags.number('n', 0)),
    durationMs: Math.max(0, flags.number('t', DEFAULTS.duration)) / 1e6,
    timeoutMs: flags.number('timeout', DEFAULTS.timeout) / 1e6,
    headers: flags.list('H'),
    method: flags.string('X', ''),
    payload: payloadFrom(flags),
    keepAlive: flags.bool('keepalive', true),
    http10: flags.bool('http1.0', false),
    insecure: flags.bool('k', false) || flags.bool('https-insecure', false),
    allowInitialErrors: flags.bool('allow-initial-errors', false),
    abortOn: flags.number('abort-on', 0),
    jitter: flags.bool('jitter', false),
    uniform: flags.bool('uniform', false),
    noCatchUp: flags.bool('nocatchup', false),
    quiet: flags.bool('quiet', false),
    labels: flags.string('labels', ''),
    resolution,
    percentiles,
    log,
    print: (line) => process.stderr.write(`${line}\n`),
    stop: stop.signal,
  };
}

function payloadFrom(flags: ParsedFlags): string {
  const file = flags.string('payload-file', '');
  if (file === '') return flags.string('payload', '');
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new TargetError(`-payload-file ${file}: ${error instanceof Error ? error.message : error}`);
  }
}

/** The headers go to standard error, so that the body can be piped on; of an error both go to standard output. */
async function fetchOnce(options: ReportOptions): Promise<number> {
  const target = await prepareTarget(options.url, options);
  const client = new Client(target, { ...options, thread: 0, keepAnswer: true });
  const { code, headerBytes, answer } = await client.fetch();
  client.close();
  const head = answer.subarray(0, headerBytes);
  if (isOk(code)) process.stderr.write(head);
  else process.stdout.write(head);
  process.stdout.write(unchunked(answer, headerBytes));
  if (isOk(code)) return 0;
  options.log.error(`Error status ${code}`);
  return 1;
}

function unchunked(answer: Buffer, headerBytes: number): Buffer {
  const body = answer.subarray(headerBytes);
  if (!/\r\ntransfer-encoding: *chunked/i.test(answer.toString('latin1', 0, headerBytes))) return body;
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.toString('latin1', at, end), 16);
    if (end < 0 || !(size > 0)) break;
    parts.push(body.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
  return Buffer.concat(parts);
}

async function loadRun(options: ReportOptions, json: string): Promise<number> {
  const target = await prepareTarget(options.url, options);
  const result = await run(target, options);
  for (const line of reportLines(result, options)) options.print(line);
  if (json !== '') {
    const text = `${JSON.stringify(reportJson(result, options), null, 2)}\n`;
    if (json === '-') process.stdout.write(text);
    else writeFileSync(json, text);
  }
  return 0;
}
