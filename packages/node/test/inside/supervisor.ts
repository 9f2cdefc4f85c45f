// A supervisor that makes two pods and then waits to be killed.
import { join } from 'node:path';
import { createNetwork } from '../support/cluster.ts';

const [marker = '', directory = ''] = process.argv.slice(2);
const network = createNetwork();
const started: Promise<unknown>[] = [];
for (const hostname of ['one', 'two']) {
  const pod = network.createPod({
    hostname,
    directory: join(directory, hostname),
    nameserver: '10.96.0.10',
    searches: ['cluster.local'],
    capture: true,
  });
  const script = `setsid sh -c 'sleep 1000 # ${marker}; :' & echo up; sleep 1000; : ${marker}`;
  const { stdout } = pod.spawn(['sh', '-c', script], { env: { PATH: process.env['PATH'] ?? '' }, cwd: '/' });
  started.push(new Promise((resolve) => stdout.once('data', resolve)));
}
await Promise.all(started);
console.log('pods run');
setInterval(() => undefined, 1_000_000);
