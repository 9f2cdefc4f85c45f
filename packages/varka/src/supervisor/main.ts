// The first process in the cluster's namespaces (PID 1 of its PID namespace). Turns V8's compile cache on before
// anything else is loaded, then hands over to the supervisor.
import { flushCompileCache } from 'node:module';
import type { ToSupervisor } from '../protocol.ts';
import { useCompileCache } from './compile-cache.ts';

/** Once everything is loaded: the cache is otherwise written only on a clean exit. */
const FLUSH_AFTER_MS = 5_000;

// The front is gone, however it went: nothing of the mesh may outlive it, and there is nobody to report to.
process.once('disconnect', () => process.exit(1));

process.once('message', (message) => {
  const told = message as ToSupervisor;
  if (told.type !== 'start') throw new Error(`the first message was ${told.type}, not start`);
  useCompileCache(told.config.profile.cache);
  setTimeout(flushCompileCache, FLUSH_AFTER_MS).unref();
  import('./supervisor.ts').then(
    ({ runSupervisor }) => runSupervisor(told.config),
    (error: unknown) => {
      throw error;
    },
  );
});
