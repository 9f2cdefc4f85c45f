// Everything the command itself can refuse or fail with: one row each, with a stable code, a sentence, the cause and
// the next step. `{name}` is filled in where the problem is raised. A code is never used again for something else.

export interface ProblemRow {
  readonly code: string;
  readonly what: string;
  readonly why: string;
  readonly next: string;
}

const row = (code: string, what: string, why: string, next: string): ProblemRow => ({ code, what, why, next });

export const PROBLEMS = {
  // 1: what was asked
  'profile-name': row(
    'VARKA101',
    '"{name}" is not a profile name',
    'a profile is a directory below $VARKA_HOME: lower-case letters, digits and dashes, at most 40',
    'choose another name, e.g. --profile demo',
  ),
  'home-too-long': row(
    'VARKA102',
    'the path {path} is too long for a socket',
    'the system allows 107 bytes',
    'set VARKA_HOME to a shorter directory, e.g. VARKA_HOME=/tmp/varka',
  ),
  'port-option': row(
    'VARKA103',
    '{option} {value} is not a port',
    'ports are whole numbers from 1 to 65535, or 0 for any free one',
    'give a number, e.g. {option} 8080',
  ),
  'port-taken': row(
    'VARKA104',
    'port {port} on 127.0.0.1 is taken',
    '{option} asked for exactly this port and another program listens there',
    'stop that program (`ss -ltnp sport = :{port}` names it), give another port, or leave the option out to take the next free one',
  ),
  'port-refused': row(
    'VARKA105',
    'port {port} on 127.0.0.1 cannot be opened: {detail}',
    'the system refused it; ports below 1024 need privileges',
    'give another port with {option}',
  ),
  'no-free-port': row(
    'VARKA106',
    'no free port from {port} to {last} for {purpose}',
    'every one of them is taken',
    'give one with {option}',
  ),
  'profile-running': row(
    'VARKA107',
    'profile "{name}" is already running: pid {pid}, since {since}',
    'a profile holds one mesh',
    'look at it with `varka status{flag}`, end it with `varka down{flag}`, or start another beside it with `varka up --profile {other}`',
  ),
  'profile-not-running': row(
    'VARKA108',
    'profile "{name}" is not running',
    'no process holds it',
    'start it with `varka up{flag}`{others}',
  ),
  'profile-silent': row(
    'VARKA109',
    'profile "{name}" is running (pid {pid}) but does not answer on {path}: {detail}',
    'it is starting, stopping or stuck',
    'try again in a few seconds; `varka down{flag}` ends it in any case',
  ),
  'no-kubeconfig': row(
    'VARKA110',
    'profile "{name}" has no kubeconfig yet',
    'it is written when the mesh starts',
    'start it with `varka up{flag}`',
  ),
  'no-such-log': row(
    'VARKA111',
    '"{name}" is neither a pod nor a component',
    '{detail}',
    'pods: `varka status{flag}`; components: {components}',
  ),
  'several-pods': row(
    'VARKA112',
    '"{name}" fits several pods: {pods}',
    'a name may be shortened only as long as it fits one',
    'give the whole name, or -n NAMESPACE',
  ),

  // 2: the machine
  'not-linux': row(
    'VARKA201',
    'this system is {system}; pods need Linux',
    'each pod gets a Linux network namespace',
    'run it in a Linux machine, virtual machine or WSL 2',
  ),
  'no-unshare': row(
    'VARKA202',
    'the program `{program}` is missing',
    'it starts the mesh in its own namespaces and is part of util-linux',
    'install util-linux (apt install util-linux, dnf install util-linux)',
  ),
  'old-unshare': row(
    'VARKA203',
    'this `unshare` lacks an option: {detail}',
    'the one of util-linux 2.32 or later is needed; busybox has another',
    'install util-linux',
  ),
  'namespaces-refused': row('VARKA204', 'the system refuses to make namespaces: {detail}', '{cause}', '{remedy}'),
  'no-pod-network': row('VARKA205', 'pods cannot have a network here: {detail}', '{why}', '{advice}'),
  'state-directory': row('VARKA206', 'cannot use {path}: {detail}', '{cause}', '{remedy}'),
  'store-corrupt': row(
    'VARKA207',
    'the store {path} cannot be read: {detail}',
    'the file is damaged or not one of ours',
    'move it aside and start empty: mv {path} {path}.broken && varka up{flag}',
  ),
  'disk-full': row(
    'VARKA208',
    'the disk is full: cannot write to {path}',
    '{detail}',
    "free some space there, or set VARKA_HOME to another disk, then try again; `varka down --purge{flag}` removes this profile's data",
  ),

  // 3: files given with -f, and varka.yaml
  'file-missing': row(
    'VARKA301',
    '{path}: no such file or directory',
    '-f takes a file, a directory or - for the standard input',
    'check the path; it is taken from {cwd}',
  ),
  'file-unreadable': row(
    'VARKA302',
    '{path} cannot be read: {detail}',
    '-f takes files this user may read',
    'check its permissions',
  ),
  'directory-empty': row(
    'VARKA303',
    '{path} holds no .yaml, .yml or .json file',
    'of a directory, its manifests/ folder is taken, or the directory itself when there is none',
    'give the file itself, or another directory',
  ),
  'nothing-to-apply': row(
    'VARKA310',
    '{paths} holds no object',
    'it is empty, or has nothing but comments',
    'give what should be applied, or leave -f out',
  ),
  'not-yaml': row(
    'VARKA304',
    '{path}:{line}:{column}: not YAML: {detail}',
    'nothing was applied',
    'correct the line and run the command again',
  ),
  'too-large': row('VARKA305', '{path} is larger than {limit}', 'manifests are read whole', 'split the file'),
  'not-an-object': row(
    'VARKA306',
    '{path}:{line} (document {index}): {detail}',
    'a manifest is a mapping with apiVersion, kind and metadata; nothing was applied',
    'correct the document, or take the file out of what -f names',
  ),
  'unknown-kind': row(
    'VARKA307',
    '{path}:{line} (document {index}): no kind {kind} in {apiVersion}',
    '{detail}',
    '{remedy}',
  ),
  'api-rejected': row(
    'VARKA308',
    '{path}:{line} (document {index}): {object}: {detail}',
    'the API server refused it ({reason}); everything else was applied and keeps running',
    'correct it, then: KUBECONFIG={kubeconfig} kubectl apply -f {path}',
  ),
  'config-invalid': row(
    'VARKA309',
    '{path}:{line}: {detail}',
    'varka.yaml lists programs that stand in for images',
    'as in: images: [{ image: my/app, command: [node, server.js], workingDir: . }]',
  ),
  'config-unreadable': row(
    'VARKA311',
    '{path} cannot be read: {detail}',
    'it lists programs that stand in for images',
    'check its permissions and those of its directory, or run Varka from another one',
  ),
  'build-failed': row(
    'VARKA312',
    '{path}: the build of image {image} failed ({how}): {command}',
    'it was run in {directory}; {shown}',
    'correct what it complains about, then run the command again; while Varka runs, saving {path} is enough',
  ),

  // 4: while it runs
  'supervisor-died': row(
    'VARKA401',
    'the mesh ended unexpectedly ({detail})',
    'its supervisor process is gone, and every pod with it',
    'the log says why: {log}; start again with `varka up{flag}`: the store has kept everything that was acknowledged',
  ),
  'start-failed': row(
    'VARKA402',
    'the mesh did not start: {detail}',
    'an unexpected failure',
    'the log has the whole story: {log}',
  ),
  'stopped-early': row(
    'VARKA404',
    'profile "{name}" was stopped while it was starting',
    'by `varka down`, Ctrl-C or a signal',
    'nothing of it is left; start it again when you like',
  ),
  'not-ready': row(
    'VARKA403',
    '{count} not available{seconds}: {detail}',
    'their pods could not start or did not become ready; everything else is up, and goes on running',
    'correct the manifest and apply it again; `varka status{flag}` and `varka logs{flag} POD` tell more',
  ),
} as const satisfies Record<string, ProblemRow>;

export type ProblemName = keyof typeof PROBLEMS;

/** A problem ready to be told, plain enough to cross a process boundary. */
export interface Problem {
  readonly name: ProblemName;
  readonly code: string;
  readonly what: string;
  readonly why: string;
  readonly next: string;
}

export class VarkaError extends Error {
  readonly problem: Problem;

  constructor(description: Problem, options?: ErrorOptions) {
    super(description.what, options);
    this.name = 'VarkaError';
    this.problem = description;
  }
}

function fill(template: string, values: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{([a-zA-Z]+)\}/g, (hole, name: string) => {
    const value = values[name];
    return value === undefined ? hole : String(value);
  });
}

export function describe(name: ProblemName, values: Readonly<Record<string, string | number>> = {}): Problem {
  const { code, what, why, next } = PROBLEMS[name];
  return { name, code, what: fill(what, values), why: fill(why, values), next: fill(next, values) };
}

export function problem(
  name: ProblemName,
  values?: Readonly<Record<string, string | number>>,
  cause?: unknown,
): VarkaError {
  return new VarkaError(describe(name, values), cause === undefined ? undefined : { cause });
}

/** The sentence, the cause and the next step, as the terminal shows them. */
export function renderProblem(
  { code, what, why, next }: Problem,
  bold: (text: string) => string = (text) => text,
): string {
  return `${bold(`error ${code}:`)} ${what}\n  why:  ${why}\n  next: ${next}\n`;
}

/** ` --profile NAME` where it is needed in a suggested command. */
export function profileFlag(name: string): string {
  return name === 'default' ? '' : ` --profile ${name}`;
}

/** Node's system errors carry a code; everything else is told by its message. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
