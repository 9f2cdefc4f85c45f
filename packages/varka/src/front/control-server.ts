// The control socket: HTTP on a Unix socket that only its owner may open. `varka status`, `proxy-status` and `down`
// talk to a running mesh through it.

import { rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { messageOf } from '../errors.ts';
import type { ProgressEvent, StatusDocument } from '../protocol.ts';

export interface ControlHandlers {
  status(): Promise<StatusDocument>;
  syncz(): Promise<unknown>;
  /** Stops everything, telling each step; settles when all but the front itself is gone. */
  stop(report: (event: ProgressEvent) => void): Promise<void>;
}

const CLOSE_TIMEOUT_MS = 1_000;

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(`${JSON.stringify(body, null, 2)}\n`);
}

async function streamStop(response: ServerResponse, handlers: ControlHandlers): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson', connection: 'close' });
  response.flushHeaders();
  await handlers.stop((event) => response.write(`${JSON.stringify(event)}\n`));
  response.end();
}

export async function serveControl(path: string, handlers: ControlHandlers): Promise<{ close(): Promise<void> }> {
  const server: Server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    const route = `${request.method} ${request.url}`;
    const failed = (error: unknown) =>
      response.headersSent ? response.destroy() : answer(response, 503, { error: messageOf(error) });
    request.resume();
    if (route === 'GET /status') handlers.status().then((body) => answer(response, 200, body), failed);
    else if (route === 'GET /debug/syncz') handlers.syncz().then((body) => answer(response, 200, body), failed);
    else if (route === 'POST /stop') streamStop(response, handlers).catch(failed);
    else answer(response, 404, { error: `no ${route}`, routes: ['GET /status', 'GET /debug/syncz', 'POST /stop'] });
  });
  rmSync(path, { force: true }); // of a mesh that was killed; the lock says that nobody serves it
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => {
        server.removeListener('error', reject);
        resolve();
      });
    });
  } finally {
    process.umask(umask);
  }
  return {
    close: () =>
      new Promise((resolve) => {
        // An answer under way (of /stop) may finish; a client that does not read it may not hold the process.
        const timer = setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT_MS);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}
