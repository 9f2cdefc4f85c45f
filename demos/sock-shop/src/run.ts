// The shop without a mesh: its services and their engines on this machine's own ports.
import { runAlone } from '@varka/demo-kit/run-alone.ts';
import { programs, STANDARD_PORTS } from './programs.ts';

runAlone(
  programs(STANDARD_PORTS),
  `The sock shop, without a mesh. In a browser:
  http://localhost:${STANDARD_PORTS['front-end']}          the shop; log in as "user" with "password"
  http://localhost:${STANDARD_PORTS['front-end-v2']}          its next release, with red buttons
Orders and accounts are forgotten when it ends. Ctrl-C stops everything.
`,
);
