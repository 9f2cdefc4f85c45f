// Some work for each request, and a counter of it that Prometheus can read.
import { createServer } from 'node:http';
import { listen } from '@varka/demo-kit/serve.ts';

/** As Prometheus exporters of OpenCensus have it. */
const METRICS_PORT = 9464;
const LIMIT = 30;

const calls = new Map<string, number>();

/** One of the first thirty of 1, 1, 2, 3, 5 … , and how many calls the textbook's recursion takes for it. */
export function fibonacci(serviceName: string): number {
  let [current, next] = [1, 1];
  for (let left = Math.floor(Math.random() * LIMIT); left > 0; left--) [current, next] = [next, current + next];
  calls.set(serviceName, (calls.get(serviceName) ?? 0) + 2 * current - 1);
  return current;
}

export function serveMetrics(): void {
  const server = createServer((request, response) => {
    request.resume();
    if (request.url?.split('?', 1)[0] !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    const label = (text: string) => text.replace(/[\\"\n]/g, (found) => (found === '\n' ? '\\n' : `\\${found}`));
    const lines = [...calls].map(([name, count]) => `fib_count{ServiceName="${label(name)}"} ${count}\n`);
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
    response.end(
      `# HELP fib_count number of fib functions calls over time\n# TYPE fib_count counter\n${lines.join('')}`,
    );
  });
  const port = Number(process.env['METRICS_PORT'] ?? METRICS_PORT);
  listen(server, port, (bound) => console.log(`metrics on port ${bound}`));
}
