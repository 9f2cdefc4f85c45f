// Offers load over keep-alive connections for a bounded time and says how many requests were answered.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly failures: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

export interface Load {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  readonly path: string;
}

function milliseconds(text: string | undefined): number | undefined {
  const match = /^([\d.]+)(us|ms|s)$/.exec(text ?? '');
  if (match === null) return undefined;
  return Number(match[1]) * { us: 0.001, ms: 1, s: 1000 }[match[2] as 'us' | 'ms' | 's'];
}

export async function loadWithWrk(load: Load): Promise<LoadResult> {
  const url = `http://127.0.0.1:${load.port}${load.path}`;
  const args = ['-t1', `-c${load.connections}`, `-d${load.seconds}s`, '--latency', url];
  const child = spawn('wrk', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(child, 'close');
  const total = /(\d+) requests in ([\d.]+)s/.exec(text);
  if (total === null) throw new Error(`wrk said: ${text}`);
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text) ?? [];
  const failures = [...sockets.slice(1), /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? '0'];
  return {
    requests: Number(total[1]),
    seconds: Number(total[2]),
    failures: failures.reduce((sum, count) => sum + Number(count), 0),
    p50Ms: milliseconds(/^\s+50%\s+(\S+)/m.exec(text)?.[1]),
    p99Ms: milliseconds(/^\s+99%\s+(\S+)/m.exec(text)?.[1]),
  };
}

/** For machines without wrk: slower than wrk, so its requests per second say less about the proxy; the CPU time stays right. */
export async function loadWithNode(load: Load): Promise<LoadResult> {
  const request = Buffer.from(`GET ${load.path} HTTP/1.1\r\nHost: 127.0.0.1:${load.port}\r\n\r\n`);
  const end = performance.now() + load.seconds * 1000;
  let requests = 0;
  let failures = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: load.connections }, async () => {
      const socket = net.connect({ port: load.port, host: '127.0.0.1', noDelay: true });
      let left = -1;
      socket.on('error', () => failures++);
      socket.on('data', (bytes: Buffer) => {
        if (left < 0) {
          const head = bytes.indexOf('\r\n\r\n') + 4;
          left = head + Number(/content-length: *(\d+)/i.exec(bytes.toString('latin1', 0, head))?.[1] ?? 0);
        }
        left -= bytes.length;
        if (left > 0) return;
        left = -1;
        requests++;
        if (performance.now() < end) socket.write(request);
        else socket.destroy();
      });
      socket.write(request);
      await once(socket, 'close');
    }),
  );
  return { requests, failures, seconds: (performance.now() - started) / 1000, p50Ms: undefined, p99Ms: undefined };
}
