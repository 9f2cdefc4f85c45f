// The `varka` command line. Each command's code is loaded only when it runs, so that all of them start fast.
import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { styleFor } from './cli/style.ts';
import { errorCode, renderProblem, VarkaError } from './errors.ts';
import { SANDBOXES } from './front/sandbox.ts';
import { openProfile } from './profile.ts';
import { VERSION } from './version.ts';

const profileOption = () =>
  new Option('--profile <name>', 'which mesh; several can run side by side').default('default');
const outputOption = () =>
  new Option('-o, --output <format>', 'how to print it').choices(['text', 'json'] as const).default('text' as const);

const sandboxOption = () =>
  new Option('--sandbox <kind>', 'where pods run: in namespaces of their own, or without (see docs/architecture.md)')
    .choices(SANDBOXES)
    .default('auto' as const);

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It has to be a whole number.');
  return Number(text);
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

const program = new Command('varka')
  .description('A service mesh on this machine: the Kubernetes and Istio APIs, with no cluster.')
  .version(VERSION, '-v, --version')
  .enablePositionalOptions()
  .showHelpAfterError('(varka --help lists the commands)');

program
  .command('up')
  .description('start the mesh, apply manifests, wait until they are ready, print the URLs')
  .option('-f, --filename <path>', 'manifests to apply: a file, a directory or - (repeatable)', collect, [])
  .addOption(profileOption())
  .option('-n, --namespace <name>', 'where objects without a namespace go', 'default')
  .option('-d, --detach', 'return when everything is ready and leave the mesh running')
  .option('--gateway-port <port>', 'host port of the gateway (8080, or the next free one)')
  .option('--gateway-https-port <port>', 'host port of the gateway for HTTPS (8443, or the next free one)')
  .option('--api-port <port>', 'host port of the API server (6443, or the next free one)')
  .addOption(sandboxOption())
  .option('--wait <seconds>', 'how long to wait for what was applied', wholeNumber, 120)
  .action(async (options) => {
    const { up } = await import('./cli/up.ts');
    process.exitCode = await up(openProfile(options.profile), options);
  });

program
  .command('down')
  .description('stop the mesh')
  .addOption(profileOption())
  .option('--purge', "delete the profile's data too")
  .action(async ({ profile, purge }) => {
    const { down } = await import('./cli/down.ts');
    process.exitCode = await down(openProfile(profile), { purge: purge === true });
  });

program
  .command('status')
  .description('what runs, where it listens and what is wrong with it')
  .addOption(profileOption())
  .addOption(outputOption())
  .action(async ({ profile, output }) => {
    const { status } = await import('./cli/status.ts');
    await status(openProfile(profile), output);
  });

program
  .command('load')
  .description("send requests and say how they went, with fortio's flags: varka load -c 4 -qps 0 -n 40 URL")
  .argument('[flags-and-url...]', 'varka load -help lists the flags')
  .allowUnknownOption()
  .passThroughOptions()
  .helpOption(false)
  .action(async (words) => {
    const { load } = await import('@varka/demo-tools/fortio/load.ts');
    process.exitCode = await load('varka load', words);
  });

program
  .command('kubeconfig')
  .description("print the path of the profile's kubeconfig")
  .addOption(profileOption())
  .action(async ({ profile }) => {
    const { kubeconfig } = await import('./cli/kubeconfig.ts');
    kubeconfig(openProfile(profile));
  });

program
  .command('logs')
  .description("print a pod's log, or Varka's own")
  .argument('[name]', 'a pod, the beginning of its name, or a component; all components when left out')
  .addOption(profileOption())
  .option('-f, --follow', 'go on printing')
  .option('--tail <lines>', 'only the last lines', wholeNumber)
  .option('-n, --namespace <name>', 'of the pod')
  .option('-c, --container <name>', 'of the pod')
  .action(async (name, options) => {
    const { logs } = await import('./cli/logs.ts');
    process.exitCode = await logs(openProfile(options.profile), name, options);
  });

program
  .command('proxy-status')
  .alias('ps')
  .description('whether every proxy has the configuration it should have')
  .addOption(profileOption())
  .addOption(outputOption())
  .action(async ({ profile, output }) => {
    const { proxyStatus } = await import('./cli/proxy-status.ts');
    await proxyStatus(openProfile(profile), output);
  });

program
  .command('version')
  .description('print the version')
  .action(() => {
    process.stdout.write(`varka ${VERSION} (node ${process.versions.node})\n`);
  });

/** The half of `up --detach` that stays; started by it and by nobody else. */
program.command('front', { hidden: true }).action(async () => {
  const { runDaemon } = await import('./front/daemon.ts');
  await runDaemon();
});

// Nobody reads on (`varka logs -f | head`): a command that only prints has nothing left to do, a mesh goes on running.
program.hook('preAction', (_program, action) => {
  process.stdout.on('error', (error) => {
    if (errorCode(error) !== 'EPIPE') throw error;
    if (action.name() !== 'up' && action.name() !== 'front') process.exit(0);
  });
});

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof VarkaError)) throw error;
  process.stderr.write(renderProblem(error.problem, styleFor(process.stderr).bad));
  process.exitCode = 1;
}
