// curl in a pod: the machine's own.
import { spawn } from 'node:child_process';

const child = spawn('curl', process.argv.slice(2), { stdio: 'inherit' });
child.on('error', () => {
  console.error('there is no curl on this machine (apt-get install curl); `fortio curl URL` fetches a URL too');
  process.exit(127);
});
child.on('exit', (code) => process.exit(code ?? 1));
