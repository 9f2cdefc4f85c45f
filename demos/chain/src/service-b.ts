// service-b, the middle of the chain: answers with what service-c says, or with its error. Always 200.
import { CallError, call } from '@varka/demo-kit/call.ts';
import { serve, type TextReply } from '@varka/demo-kit/serve.ts';
import { tracingHeaders } from '@varka/demo-kit/tracing-headers.ts';

const SERVICE_C_HOST = process.env['SERVICE_C_HOST'] ?? 'service-c:8080';

const CAUSES: Readonly<Record<string, string>> = {
  ENOTFOUND: 'error trying to connect: dns error: failed to lookup address information: Name or service not known',
  EAI_AGAIN:
    'error trying to connect: dns error: failed to lookup address information: Temporary failure in name resolution',
  ECONNREFUSED: 'error trying to connect: tcp connect error: Connection refused (os error 111)',
  CLOSED: 'connection closed before message completed',
};

/** No timeout of its own: how long to wait for service-c is left to the mesh. */
async function next(headers: Record<string, string | string[]>): Promise<string> {
  try {
    const reply = await call(SERVICE_C_HOST, headers, undefined);
    if (reply.status >= 200 && reply.status < 300) return reply.body;
    return `Error: ${reply.body === '' ? reply.statusText : reply.body}`;
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    return `error sending request for url (http://${SERVICE_C_HOST}/): ${CAUSES[error.code] ?? error.message}`;
  }
}

async function chain(headers: Record<string, string | string[]>): Promise<TextReply> {
  return { status: 200, text: `Service B <- ${await next(headers)}` };
}

serve({
  contentType: 'text/plain;charset=UTF-8',
  started: (port) => `HTTP webserver running. Access it at: http://localhost:${port}/`,
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
