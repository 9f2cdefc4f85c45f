// The `oc` command.
import { run } from './run.ts';
import { translate } from './translate.ts';

process.exitCode = await run(translate(process.argv.slice(2)));
