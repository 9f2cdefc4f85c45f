// redis-cli's place in a pod: the machine's own where it is installed, a small one of ours otherwise.
import { spawn } from 'node:child_process';
import { installed } from './installed.ts';

const program = installed('redis-cli');
if (program === undefined) {
  await import('./redis/own-cli.ts');
} else {
  const child = spawn(program, process.argv.slice(2), { stdio: 'inherit' });
  child.on('exit', (code) => process.exit(code ?? 1));
}
