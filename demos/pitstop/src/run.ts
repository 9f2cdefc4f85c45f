// Pitstop without a mesh, on this machine's ports.
import { fileURLToPath } from 'node:url';
import { runAlone } from '@varka/demo-kit/run-alone.ts';
import { programs, STANDARD_PORTS } from './programs.ts';

const directory =
  process.env['PITSTOP_DATA'] ?? fileURLToPath(new URL('../../../.cache/demo-pitstop', import.meta.url));
const { webapp, logserver } = STANDARD_PORTS;

runAlone(
  programs(STANDARD_PORTS, directory),
  `Pitstop, without a mesh; its data are kept in ${directory}:
  http://localhost:${webapp}    the web app: register a customer, then a vehicle, then plan a job
  http://localhost:${STANDARD_PORTS['mailserver-web']}    the mails it sent, when a day has passed (DAY_SECONDS=30 makes days short)
  http://localhost:${logserver}    the log of all programs
API_VERSION=2.0 runs the newer customer API, whose customers have medals. Ctrl-C ends it.`,
);
