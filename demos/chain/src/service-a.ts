// service-a, the head of the chain: answers with what service-b says. Always 200, so a reader sees the error's text.
import { CallError, call } from '@varka/demo-kit/call.ts';
import { serve, type TextReply } from '@varka/demo-kit/serve.ts';
import { tracingHeaders } from '@varka/demo-kit/tracing-headers.ts';

const SERVICE_B_HOST = process.env['SERVICE_B_HOST'] ?? 'service-b:8080';

/** Of silence, at connecting and at reading. */
const TIMEOUT_MS = 5000;

const TEXTS: Readonly<Record<string, string>> = {
  ENOTFOUND: '[Errno -2] Name or service not known',
  EAI_AGAIN: '[Errno -3] Temporary failure in name resolution',
  ECONNREFUSED: 'All connection attempts failed',
  EHOSTUNREACH: 'All connection attempts failed',
  ENETUNREACH: 'All connection attempts failed',
  CLOSED: 'Server disconnected without sending a response.',
  TIMEOUT: `timed out after ${TIMEOUT_MS / 1000} s`,
};

async function chain(headers: Record<string, string | string[]>): Promise<TextReply> {
  try {
    const reply = await call(SERVICE_B_HOST, headers, TIMEOUT_MS);
    return { status: 200, text: `Service A <- ${reply.body}\n` };
  } catch (error) {
    const text = error instanceof CallError ? (TEXTS[error.code] ?? error.message) : String(error);
    return { status: 200, text: `Service A <- Service B | ${text}\n` };
  }
}

serve({
  contentType: 'text/plain; charset=utf-8',
  started: (port) => `Service A running on http://0.0.0.0:${port}, calling http://${SERVICE_B_HOST}`,
  handle(path, message) {
    switch (path) {
      case '/':
        return chain(tracingHeaders(message.headers));
      case '/health':
        return { status: 200, text: 'UP' };
      default:
        return { status: 404, text: 'Page not found' };
    }
  },
});
