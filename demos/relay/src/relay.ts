// relay: asks the next service and answers with who it is, how long that took, and what it heard. It fails as often as
// the header `fail` says. Started with `simple` or `full` it keeps its own spans and says so, as an instrumented program.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { CallError, send } from '@varka/demo-kit/call.ts';
import { listen, portFromEnvironment } from '@varka/demo-kit/serve.ts';
import { fibonacci, serveMetrics } from './fibonacci.ts';
import { forwardedHeaders, ownSpan } from './propagation.ts';

const SERVICE_NAME = process.env['SERVICE_NAME'] ?? 'test-1-v1';
const UPSTREAM_URI = process.env['UPSTREAM_URI'] ?? 'http://time.jsontest.com/';
const [INSTRUMENTED] = process.argv.slice(2);

/** What it heard, or why it heard nothing, as the text of an error. */
async function upstream(headers: Record<string, string | string[]>): Promise<string> {
  try {
    const { status, body } = await send(UPSTREAM_URI, { headers });
    return status >= 200 && status < 300 ? body : `StatusCodeError: ${status} - ${JSON.stringify(body)}`;
  } catch (error) {
    if (error instanceof CallError) return `RequestError: Error: ${error.message}`;
    throw error;
  }
}

/** True: the caller has its answer already, and yet the request goes on to the next service, whose turn to fail it is. */
function failed({ headers }: IncomingMessage, response: ServerResponse): boolean {
  const chance = Number(headers['fail']) || 0;
  console.log(`failPercent: ${chance}`);
  if (Math.random() >= chance) return false;
  response.statusCode = 500;
  response.end();
  return true;
}

async function relay(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const begin = Date.now();
  const already = INSTRUMENTED === undefined && failed(request, response);
  const number = INSTRUMENTED === 'full' ? fibonacci(SERVICE_NAME) : undefined;
  const heard = await upstream(
    INSTRUMENTED === undefined ? forwardedHeaders(request.headers) : ownSpan(request.headers),
  );
  if (already) return;
  const instrumented = INSTRUMENTED === undefined ? '' : ` (opencensus ${INSTRUMENTED})`;
  const calculated = number === undefined ? '' : ` - num: ${number} - isOdd: ${number % 2 === 1}`;
  const seconds = (Date.now() - begin) / 1000;
  response.end(`${SERVICE_NAME} - ${seconds}secs${instrumented}${calculated}\n${UPSTREAM_URI} -> ${heard}`);
}

const server = createServer((request, response) => {
  request.resume();
  const path = (request.url ?? '/').split('?', 1)[0];
  if (path !== '/' || (request.method !== 'GET' && request.method !== 'HEAD')) {
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end(`Cannot ${request.method} ${path}\n`);
    return;
  }
  relay(request, response).catch((error: unknown) => {
    console.error(`the request failed: ${String(error)}`);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
});

listen(server, portFromEnvironment(3000), (port) => console.log(`${SERVICE_NAME} listening on port ${port}!`));
if (INSTRUMENTED === 'full') serveMetrics();
