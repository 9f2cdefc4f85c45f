// Ours beside the real fortio (FORTIO, or in PATH): the same calls on the same server, the same report but for its times.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const FORTIO = [
  process.env['FORTIO'] ?? '',
  ...(process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, 'fortio')),
].find((path) => path !== '' && existsSync(path));
const OURS = [process.execPath, fileURLToPath(new URL('../src/fortio.ts', import.meta.url))];

/** Code, headers and body are a matter of the request's number, so that both programs meet the same server. */
async function report(
  argv: readonly string[],
  flags: readonly string[],
): Promise<{ code: number | null; lines: string[] }> {
  let requests = 0;
  const server = createServer((_, response) => {
    requests += 1;
    response.writeHead(requests % 3 === 0 ? 503 : 200, { date: 'x', 'content-length': 4 }).end('body');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const [program = '', ...rest] = argv;
  const child = spawn(program, [...rest, 'load', ...flags, `http://127.0.0.1:${port}/x`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.on('data', (more) => {
    text += more;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  server.closeAllConnections();
  server.close();
  return { code, lines: comparable(text, port) };
}

/** Without log lines, histogram rows, figures that are times, and the remark that a busy machine brings. */
function comparable(text: string, port: number): string[] {
  return text
    .replaceAll(String(port), 'PORT')
    .split('\n')
    .filter((line) => line !== '' && !/^(\{|>|WARNING .* of sleep were falling behind)/.test(line))
    .map((line) =>
      /^(Code|Sockets|Response|IP|Uniform|Starting|127)/.test(line)
        ? line
        : line
            .replace(/(?<= )-(?=\d)/g, '')
            .replace(/\d+(\.\d+)?(e[-+]\d+)?(?=(ms|µs|s)?\b)/g, '#')
            .replace(/#(ms|µs|s)\b/g, '#'),
    );
}

describe('our fortio beside the real one', {
  skip: FORTIO === undefined ? 'no fortio (go install fortio.org/fortio@v1.63.9, or set FORTIO)' : false,
}, () => {
  for (const flags of [
    ['-c', '1', '-qps', '0', '-n', '9'],
    ['-c', '1', '-qps', '0', '-n', '9', '-keepalive=false'],
    ['-c', '1', '-qps', '100', '-n', '7', '-uniform'],
    ['-c', '1', '-qps', '0', '-n', '6', '-quiet', '-p', '50,99.9'],
    ['-c', '1', '-qps', '0', '-n', '9', '-abort-on', '503'],
  ]) {
    it(flags.join(' '), async () => {
      assert.deepEqual(await report(OURS, flags), await report([FORTIO as string], flags));
    });
  }
});
