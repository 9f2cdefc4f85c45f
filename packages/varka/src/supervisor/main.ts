// The first process in the cluster's namespaces (PID 1 of its PID namespace); without namespaces, a process like others.
// Turns V8's compile cache on before anything else is loaded, then hands over to the supervisor.
import { flushCompileCache } from 'node:module';
import type { ToSupervisor } from '../protocol.ts';
import { useCompileCache } from './compile-cache.ts';

/** Once everything is loaded: the cache is otherwise written only on a clean exit. */
const FLUSH_AFTER_MS = 5_000;

let fabric: string | undefined;

// The front is gone, however it went: nothing of the mesh may outlive it, and there is nobody to report to.
process.once('disconnect', async () => {
  // In namespaces the kernel ends every process when this one does.
  if (fabric !== undefined) (await import('@varka/node/loopback/fabric-directory.ts')).removeFabric(fabric);
  process.exit(1);
});

process.once('message', (message) => {
  const told = message as ToSupervisor;
  if (told.type !== 'start') throw new Error(`the first message was ${told.type}, not start`);
  if (told.config.sandbox.kind === 'loopback') fabric = told.config.sandbox.directory;
  useCompileCache(told.config.profile.cache);
  setTimeout(flushCompileCache, FLUSH_AFTER_MS).unref();
  import('./supervisor.ts').then(
    ({ runSupervisor }) => runSupervisor(told.config),
    (error: unknown) => {
      throw error;
    },
  );
});
