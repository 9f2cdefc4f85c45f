// The chain without a mesh: its services on this machine's ports 3000 to 3003.
import { type AloneProgram, runAlone } from '@varka/demo-kit/run-alone.ts';

const service = (name: string, file: string, env: Record<string, string>): AloneProgram => ({
  name,
  module: new URL(file, import.meta.url),
  env,
});

runAlone(
  [
    service('service-a', 'service-a.ts', { PORT: '3000', SERVICE_B_HOST: 'localhost:3001' }),
    service('service-b', 'service-b.ts', { PORT: '3001', SERVICE_C_HOST: 'localhost:3002' }),
    service('service-c-v1', 'service-c.ts', { PORT: '3002', VERSION: 'v1', HOSTNAME: 'service-c-v1-local1' }),
    service('service-c-v2', 'service-c.ts', { PORT: '3003', VERSION: 'v2', HOSTNAME: 'service-c-v2-local2' }),
  ],
  `The chain, without a mesh:
  curl localhost:3000          service-a -> service-b -> service-c v1
  curl localhost:3002/crash    makes service-c v1 answer 500
  curl localhost:3002/repair   repairs it
  curl localhost:3003          service-c v2, which nobody calls until a mesh splits the traffic
Ctrl-C ends it.`,
);
