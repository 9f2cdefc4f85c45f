// hello without a mesh: two versions on this machine's ports 3010 and 3011.
import { runAlone } from '@varka/demo-kit/run-alone.ts';

const version = (name: string, port: number) => ({
  name,
  module: new URL('hello.ts', import.meta.url),
  env: { PORT: String(port), VERSION: name },
});

runAlone(
  [version('v1', 3010), version('v2', 3011)],
  `hello, without a mesh:
  curl localhost:3010/api/v1        Hello my version is: v1
  curl localhost:3011/api/v1        Hello my version is: v2
  curl localhost:3010/api/v1/fail   503 four times, then 200
  curl -H 'content-type: application/json' -d '{"a":1}' localhost:3010/api/v1/echo
Ctrl-C ends it.`,
);
