// service-c, the end of the chain: says its version and host, and can be told to fail (/crash) and to recover (/repair).
import { hostname } from 'node:os';
import { serve, type TextReply } from '@varka/demo-kit/serve.ts';

const VERSION = process.env['VERSION'] ?? 'v1';
/** The random end of a pod's name is enough to tell two pods apart. */
const HOST_SUFFIX = (process.env['HOSTNAME'] ?? hostname()).split('-').at(-1) ?? '';

let crashed = false;
let count = 0;

function answer(): TextReply {
  if (crashed) return { status: 500, text: `Error 500 (Hostname: ${HOST_SUFFIX})` };
  count += 1;
  return { status: 200, text: `Service C | ${VERSION} | ${HOST_SUFFIX} | ${count}` };
}

serve({
  contentType: 'text/plain',
  started: (port) => `Service C ${VERSION} listening on http://localhost:${port}/`,
  handle(path, message) {
    if (message.method !== 'GET' && message.method !== 'HEAD') return { status: 404, text: 'Not found' };
    switch (path) {
      case '/':
        return answer();
      case '/crash':
        crashed = true;
        return { status: 200, text: "Crash mode is activated. Call '/repair' to deactivate." };
      case '/repair':
        crashed = false;
        return { status: 200, text: 'Crash mode is deactivated.' };
      // UP even in crash mode: the pod stays in its Service, and it is the mesh's circuit breaker that must notice.
      case '/health':
        return { status: 200, text: 'UP' };
      default:
        return { status: 404, text: 'Not found' };
    }
  },
});
