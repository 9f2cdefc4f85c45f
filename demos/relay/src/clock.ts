// The clock at the end of the chain: answers as two public time services do, in whose place it stands in the cluster.
import { createServer } from 'node:http';
import { listen, portFromEnvironment } from '@varka/demo-kit/serve.ts';
import { jsonTest, worldClock } from './times.ts';

function answer(path: string): string | undefined {
  if (path === '/') return jsonTest(new Date());
  if (path === '/api/json/utc/now') return worldClock(new Date());
  return undefined;
}

const server = createServer((request, response) => {
  request.resume();
  const text = answer((request.url ?? '/').split('?', 1)[0] ?? '/');
  if (text === undefined) response.writeHead(404).end();
  else response.writeHead(200, { 'content-type': 'application/json' }).end(text);
});

listen(server, portFromEnvironment(8080), (port) => console.log(`The clock is listening on port ${port}`));
