// The relay without a mesh: frontend, middleware, backend and clock on this machine's ports 3020 to 3023.
import { type AloneProgram, runAlone } from '@varka/demo-kit/run-alone.ts';

const relay = (name: string, port: number, upstream: number): AloneProgram => ({
  name,
  module: new URL('relay.ts', import.meta.url),
  env: { PORT: String(port), SERVICE_NAME: name, UPSTREAM_URI: `http://localhost:${upstream}/` },
});

runAlone(
  [
    relay('frontend', 3020, 3021),
    relay('middleware', 3021, 3022),
    relay('backend', 3022, 3023),
    { name: 'clock', module: new URL('clock.ts', import.meta.url), env: { PORT: '3023' } },
  ],
  `The relay, without a mesh:
  curl localhost:3020                  frontend -> middleware -> backend -> clock
  curl -H 'fail: 0.3' localhost:3020   each of the three fails three times out of ten
Ctrl-C ends it.`,
);
