// `kubectl create route edge …`: a plugin, which kubectl from 1.29 on finds by its name, kubectl-create-route, in PATH.
import { run } from './run.ts';
import { createRoute } from './translate.ts';

process.exitCode = await run(createRoute(process.argv.slice(2), []));
