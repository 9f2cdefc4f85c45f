// `varka status`: the running mesh at a glance.
import { fetchStatus } from '../front/control-client.ts';
import type { Profile } from '../profile.ts';
import type { FindingStatus, PodStatus, StatusDocument } from '../protocol.ts';
import { seconds } from './progress.ts';
import { type Style, styleFor } from './style.ts';
import { table } from './table.ts';

export async function status(profile: Profile, output: 'text' | 'json'): Promise<void> {
  const document = await fetchStatus(profile);
  process.stdout.write(
    output === 'json' ? `${JSON.stringify(document, null, 2)}\n` : render(document, styleFor(process.stdout)),
  );
}

function isReady({ ready }: PodStatus): boolean {
  const [have, want] = ready.split('/');
  return have === want;
}

function heading(document: StatusDocument, { bold, good, warn }: Style): string {
  const uptime = seconds(Date.now() - Date.parse(document.startedAt));
  const phase =
    document.phase === 'ready'
      ? good('ready')
      : warn(document.phase === 'incomplete' ? 'running, not all is ready' : document.phase);
  return [
    `${bold(`profile ${document.profile}`)}   ${phase}   pid ${document.pid}, up ${uptime}, ${placeOf(document)}`,
    `  API server   ${document.api}`,
    `  gateway      ${document.gateway.http}   ${document.gateway.https}`,
    `  kubeconfig   ${document.kubeconfig}`,
  ].join('\n');
}

function placeOf({ sandbox, privilege }: StatusDocument): string {
  if (sandbox === 'loopback') return 'sandbox loopback';
  return privilege === 'root' ? 'as root' : 'rootless';
}

function pods(document: StatusDocument, { good, warn }: Style): string {
  if (document.pods.length === 0) return 'no pods\n';
  const proxies = new Map(document.proxies.map((proxy) => [proxy.name, proxy]));
  const stuck = document.pods.flatMap(({ namespace, name, stuck: why }) =>
    why === undefined ? [] : [`${warn(`${namespace}/${name}`)}: ${why}\n`],
  );
  const rows = table(
    ['NAMESPACE', 'POD', 'READY', 'STATUS', 'RESTARTS', 'IP', 'PROXY'],
    document.pods.map((pod) => {
      const proxy = proxies.get(`${pod.name}.${pod.namespace}`);
      const states = proxy === undefined ? [] : [proxy.cds, proxy.lds, proxy.eds, proxy.rds];
      // A type that a proxy has not asked for is not something it lacks.
      const synced = states.every((state) => state === 'SYNCED' || state === 'NOT SENT');
      const sync =
        proxy === undefined
          ? '-'
          : synced
            ? good('SYNCED')
            : warn(states.find((state) => state !== 'SYNCED') ?? 'STALE');
      const paint = isReady(pod) ? good : warn;
      return [pod.namespace, pod.name, paint(pod.ready), paint(pod.reason), String(pod.restarts), pod.ip || '-', sync];
    }),
  );
  return rows + stuck.join('');
}

/** Where services are reached from this machine. */
function entrances(document: StatusDocument, { warn }: Style): string {
  if (document.entrances.length === 0) return '';
  const rows = document.entrances.map(({ namespace, service, type, port, address, error }) => [
    namespace,
    service,
    port,
    type,
    error === undefined ? address : warn(`${address} (not there: ${error})`),
  ]);
  return `\n${table(['NAMESPACE', 'SERVICE', 'PORT', 'TYPE', 'FROM THE HOST'], rows)}`;
}

function findings(list: readonly FindingStatus[], { bad, warn, dim }: Style): string {
  if (list.length === 0) return '';
  const lines = list.map(
    ({ code, level, object, message }) =>
      `  ${level.toLowerCase() === 'error' ? bad(level) : warn(level)} ${dim(code)} ${object}: ${message}`,
  );
  return `\nconfiguration\n${lines.join('\n')}\n`;
}

function render(document: StatusDocument, style: Style): string {
  return `${heading(document, style)}\n\n${pods(document, style)}${entrances(document, style)}${findings(document.findings, style)}`;
}
