// A client on a thread of its own: one connection, a large request as soon as the large answer before it is whole.
import { Agent, request } from 'node:https';
import { parentPort, workerData } from 'node:worker_threads';

export interface KeepAliveWork {
  readonly port: number;
  readonly path: string;
  readonly ca: string;
  readonly token: string;
  readonly requests: number;
}

const { port, path, ca, token, requests } = workerData as KeepAliveWork;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/merge-patch+json' };

const exchange = (n: number) =>
  new Promise<string>((resolve) => {
    const sent = request({ agent, host: '127.0.0.1', port, ca, method: 'PATCH', path, headers }, (response) =>
      response.resume().on('end', () => resolve(String(response.statusCode))),
    );
    sent.on('error', (error) => resolve(error.message));
    sent.end(JSON.stringify({ data: { n: `${n}`, pad: 'x'.repeat(150_000) } }));
  });

const outcomes: string[] = [];
for (let n = 0; n < requests; n++) outcomes.push(await exchange(n));
agent.destroy();
parentPort?.postMessage(outcomes);
