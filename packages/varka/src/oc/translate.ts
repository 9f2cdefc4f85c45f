// What a line of OpenShift's `oc` means to kubectl. Pure: words in, a plan out. The few commands that kubectl has no
// equivalent of are done here; everything else is kubectl's as it stands.
import { parseArgs } from 'node:util';

export type Plan =
  | { readonly kind: 'kubectl'; readonly args: readonly string[] }
  | { readonly kind: 'new-project'; readonly name: string; readonly global: readonly string[] }
  /** Without a name: says which one is in use. */
  | { readonly kind: 'project'; readonly name: string | undefined; readonly global: readonly string[] }
  | { readonly kind: 'create-route'; readonly route: object; readonly args: readonly string[] }
  | { readonly kind: 'wrong'; readonly message: string };

/** kubectl's options that may stand before the command, and have a value behind them. */
const WITH_VALUE = new Set([
  ...['-n', '--namespace', '-s', '--server', '--context', '--cluster', '--user', '--kubeconfig', '--as', '--as-group'],
  ...['--token', '--certificate-authority', '--client-certificate', '--client-key', '--request-timeout', '-v', '--v'],
]);

export function translate(words: readonly string[]): Plan {
  const [global, rest] = splitAtCommand(words);
  const [command, ...args] = rest;
  switch (command) {
    case 'new-project':
      return newProject(args, global);
    case 'project':
      return project(args, global);
    case 'create':
      return args[0] === 'route' ? createRoute(args.slice(1), global) : { kind: 'kubectl', args: words };
    default:
      return { kind: 'kubectl', args: words };
  }
}

function splitAtCommand(words: readonly string[]): [global: string[], rest: string[]] {
  let at = 0;
  while (words[at]?.startsWith('-') === true) at += WITH_VALUE.has(words[at] ?? '') ? 2 : 1;
  return [words.slice(0, at), words.slice(at)];
}

function newProject(args: readonly string[], global: readonly string[]): Plan {
  const parsed = parsedOr(() =>
    parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        'display-name': { type: 'string' },
        description: { type: 'string' },
        'skip-config-write': { type: 'boolean' },
      },
    }),
  );
  if ('message' in parsed) return { kind: 'wrong', message: parsed.message };
  const [name] = parsed.positionals;
  if (name === undefined || parsed.positionals.length > 1)
    return { kind: 'wrong', message: 'one name is wanted: oc new-project NAME' };
  return { kind: 'new-project', name, global };
}

function project(args: readonly string[], global: readonly string[]): Plan {
  if (args.length > 1 || args[0]?.startsWith('-') === true)
    return { kind: 'wrong', message: 'at most a name is wanted: oc project [NAME]' };
  return { kind: 'project', name: args[0], global };
}

/** `oc create route edge [NAME] --service SERVICE` makes an object; the rest of the options are kubectl's. */
export function createRoute(words: readonly string[], global: readonly string[]): Plan {
  const [termination, ...args] = words;
  if (termination !== 'edge' && termination !== 'passthrough' && termination !== 'reencrypt')
    return { kind: 'wrong', message: 'a kind of route is wanted: create route edge NAME --service SERVICE' };
  const parsed = parsedOr(() =>
    parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        service: { type: 'string' },
        hostname: { type: 'string' },
        path: { type: 'string' },
        port: { type: 'string' },
        'insecure-policy': { type: 'string' },
        'wildcard-policy': { type: 'string' },
        'dry-run': { type: 'string' },
        output: { type: 'string', short: 'o' },
        namespace: { type: 'string', short: 'n' },
      },
    }),
  );
  if ('message' in parsed) return { kind: 'wrong', message: parsed.message };
  const { values, positionals } = parsed;
  const service = values.service;
  if (service === undefined || positionals.length > 1)
    return { kind: 'wrong', message: `a Service is wanted: create route ${termination} NAME --service SERVICE` };
  const passed = (['namespace', 'output', 'dry-run'] as const).flatMap((option) =>
    values[option] === undefined ? [] : [`--${option}=${values[option]}`],
  );
  const insecure = values['insecure-policy'];
  return {
    kind: 'create-route',
    args: [...global, 'create', '-f', '-', ...passed],
    route: {
      apiVersion: 'route.openshift.io/v1',
      kind: 'Route',
      metadata: { name: positionals[0] ?? service },
      spec: {
        ...(values.hostname === undefined ? {} : { host: values.hostname }),
        ...(values.path === undefined ? {} : { path: values.path }),
        ...(values['wildcard-policy'] === undefined ? {} : { wildcardPolicy: values['wildcard-policy'] }),
        to: { kind: 'Service', name: service },
        ...(values.port === undefined ? {} : { port: { targetPort: portOf(values.port) } }),
        tls: { termination, ...(insecure === undefined ? {} : { insecureEdgeTerminationPolicy: insecure }) },
      },
    },
  };
}

function portOf(text: string): string | number {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** The library's own words for what it does not understand. */
function parsedOr<T>(parse: () => T): T | { readonly message: string } {
  try {
    return parse();
  } catch (error) {
    if (error instanceof TypeError) return { message: error.message };
    throw error;
  }
}
