// Runs the tests: `npm test` every package's and demo's suites and the smoke part of test/system; `--tier peers` those
// that judge us by another program (Envoy, kubectl, nft); `--tier system` all of test/system. What cannot run here is
// skipped with a reason, but with VARKA_REQUIRE_PEERS=1 that is a failure. `--coverage` adds a report.
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const TIERS = {
  default: ['packages/*/test/**/*.test.ts', 'demos/*/test/**/*.test.ts', 'test/system/smoke.test.ts'],
  peers: [
    'demos/tools/test/fortio-peer.test.ts',
    'packages/kube/test/kubectl.test.ts',
    'packages/kube/test/kubectl-streams.test.ts',
    'packages/mesh/test/inject/bootstrap.test.ts',
    'packages/mesh/test/serve/envoy.test.ts',
    'packages/node/test/loopback.test.ts',
    'packages/node/test/netns.test.ts',
    'packages/proxy/test/listener.test.ts',
  ],
  system: ['test/system/**/*.test.ts'],
} as const;

/** A hung test must not hang the run; the longest system test takes a minute or two. */
const TIMEOUTS_MS = { default: 60_000, peers: 60_000, system: 300_000 } as const;

function usage(problem: string): never {
  process.stderr.write(
    `${problem}\nusage: node scripts/test.ts [--tier ${Object.keys(TIERS).join('|')}] [--coverage] [FILE…]\n`,
  );
  process.exit(2);
}

function isTier(name: string): name is keyof typeof TIERS {
  return Object.hasOwn(TIERS, name);
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { tier: { type: 'string', default: 'default' }, coverage: { type: 'boolean', default: false } },
    });
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

const { values, positionals } = parse();
const tier = values.tier;
if (!isTier(tier)) usage(`there is no tier ${tier}`);
const files =
  positionals.length > 0 ? positionals : TIERS[tier].flatMap((pattern) => globSync(pattern, { cwd: root })).sort();
if (files.length === 0) usage('there is nothing to run');

const coverage = [
  '--experimental-test-coverage',
  '--test-coverage-include=packages/*/src/**',
  '--test-coverage-include=demos/*/src/**',
  '--test-coverage-exclude=packages/xds/gen/**',
];
const args = [
  '--test',
  `--test-timeout=${TIMEOUTS_MS[tier]}`,
  // System tests measure times and shares: one at a time. The others wait for I/O more than they compute.
  `--test-concurrency=${tier === 'system' ? 1 : 2}`,
  '--test-reporter=spec',
  '--test-reporter-destination=stdout',
  `--test-reporter=${join(root, 'scripts/test-summary.ts')}`,
  '--test-reporter-destination=stdout',
  '--disable-warning=ExperimentalWarning',
  ...(values.coverage ? coverage : []),
  ...files,
];
const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
