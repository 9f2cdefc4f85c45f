// The chain without a mesh: starts the services on this machine's ports 3000 to 3003 until Ctrl-C.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const services = [
  { name: 'service-a', module: 'service-a.ts', env: { PORT: '3000', SERVICE_B_HOST: 'localhost:3001' } },
  { name: 'service-b', module: 'service-b.ts', env: { PORT: '3001', SERVICE_C_HOST: 'localhost:3002' } },
  {
    name: 'service-c-v1',
    module: 'service-c.ts',
    env: { PORT: '3002', VERSION: 'v1', HOSTNAME: 'service-c-v1-local1' },
  },
  {
    name: 'service-c-v2',
    module: 'service-c.ts',
    env: { PORT: '3003', VERSION: 'v2', HOSTNAME: 'service-c-v2-local2' },
  },
] as const;

const running = new Set<ChildProcess>();
let stopping = false;

function stop(code: number): void {
  if (stopping) return;
  stopping = true;
  process.exitCode = code;
  for (const child of running) child.kill('SIGTERM');
}

for (const service of services) {
  const child = spawn(process.execPath, [fileURLToPath(new URL(service.module, import.meta.url))], {
    env: { ...process.env, ...service.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.trimEnd().split('\n')) console.log(`${service.name.padEnd(13)}| ${line}`);
    });
  }
  child.on('exit', (code, signal) => {
    running.delete(child);
    if (stopping) return;
    console.error(`${service.name} ended (${signal ?? `exit code ${code}`}); stopping the others`);
    stop(1);
  });
}

// Ctrl-C reaches the children too; signals sent to this process alone are passed on.
process.on('SIGINT', () => stop(0));
process.on('SIGTERM', () => stop(0));

console.log(`The chain, without a mesh:
  curl localhost:3000          service-a -> service-b -> service-c v1
  curl localhost:3002/crash    makes service-c v1 answer 500
  curl localhost:3002/repair   repairs it
  curl localhost:3003          service-c v2, which nobody calls until a mesh splits the traffic
Ctrl-C ends it.`);
