// A fortio-compatible program: `load`, `curl`, `server`, `version`.
import { listen } from '@varka/demo-kit/serve.ts';
import { echoServer } from './fortio/echo-server.ts';
import { FlagError, parseFlags } from './fortio/go-flags.ts';
import { LOAD_FLAGS, load } from './fortio/load.ts';
import { VERSION } from './fortio/target.ts';

const USAGE = `usage: fortio command [flags] target
where command is one of: load (load testing), curl (single URL debug), server (HTTP echo on 8080), version.
This is Varka's own program with fortio's flags and output; gRPC, HTTP/2, TCP and UDP, the proxies and the web pages of
fortio are not in it.
${LOAD_FLAGS}`;

/** Accepted because manifests name them, and without effect: what they are about is not here. */
const IGNORED = ['grpc-port', 'redirect-port', 'tcp-port', 'udp-port', 'ui-path', 'static-dir', 'data-dir'] as const;

const [command = '', ...words] = process.argv.slice(2);
switch (command) {
  case 'load':
    process.exitCode = await load('fortio load', words);
    break;
  case 'curl':
    process.exitCode = await load('fortio curl', words, true);
    break;
  case 'server':
    server(words);
    break;
  case 'version':
    console.log(`${VERSION} (Varka's fortio-compatible program)`);
    break;
  case 'help':
    console.log(USAGE);
    break;
  default:
    console.error(
      `${USAGE}\nError: ${command === '' ? 'need at least 1 command parameter' : `unknown command "${command}"`}`,
    );
    process.exitCode = 1;
}

function server(args: readonly string[]): void {
  const kinds = {
    'http-port': 'string',
    loglevel: 'string',
    ...Object.fromEntries(IGNORED.map((name) => [name, 'string'])),
  } as const;
  try {
    const flags = parseFlags(args, kinds);
    const text = flags.string('http-port', process.env['PORT'] ?? '8080');
    const port = Number(text.replace(/^.*:/, ''));
    if (!/^\d+$/.test(text.replace(/^.*:/, '')) || port > 65535) throw new FlagError(`-http-port ${text} is no port`);
    listen(echoServer(), port, (bound) => {
      console.error(`Fortio-compatible ${VERSION} HTTP echo server listening on http://0.0.0.0:${bound}/`);
      console.log(`http-echo on :${bound}; gRPC ping (8079) and the web UI are not in this program`);
    });
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
