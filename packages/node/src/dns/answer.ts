// What the cluster's DNS says to a question: pure, by the Kubernetes DNS-based service discovery specification (1.1.0).
import type { Answer, SoaAnswer, SrvAnswer, StringAnswer } from 'dns-packet';

export interface DnsQuestion {
  readonly name: string;
  /** A, AAAA, SRV, … or ANY; others are answered with no data. */
  readonly type: string;
}

export interface DnsPort {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
}

export interface DnsEndpoint {
  readonly ip: string;
  /** spec.hostname of a pod whose spec.subdomain is the service. */
  readonly hostname?: string;
  readonly ports: readonly DnsPort[];
}

export type DnsService =
  | { readonly kind: 'cluster-ip'; readonly ips: readonly string[]; readonly ports: readonly DnsPort[] }
  | { readonly kind: 'headless'; readonly endpoints: readonly DnsEndpoint[] }
  | { readonly kind: 'external-name'; readonly target: string };

/** What exists now. */
export interface DnsView {
  service(namespace: string, name: string): DnsService | undefined;
  hasServices(namespace: string): boolean;
  /** The service that stands in for this name of the world outside, if one does. */
  standIn(name: string): DnsService | undefined;
  /** namespace and name of the service with this cluster IP, or of the one an endpoint belongs to. */
  reverse(ip: string): { readonly namespace: string; readonly name: string; readonly host?: string } | undefined;
}

export type DnsAnswer =
  | {
      readonly kind: 'answer';
      readonly rcode: 'NOERROR' | 'NXDOMAIN';
      readonly answers: readonly Answer[];
      readonly additionals: readonly Answer[];
      readonly authorities: readonly Answer[];
    }
  /** Not a name of the cluster's; `aliases` lead there from the name that was asked for. */
  | { readonly kind: 'external'; readonly name: string; readonly aliases: readonly Answer[] };

/** As CoreDNS's kubernetes plugin: long enough to spare questions, short enough that a rollout is seen. */
export const TTL = 5;
const SCHEMA_VERSION = '1.1.0';
/** ExternalName to ExternalName and round again must end. */
const MAX_ALIASES = 8;

/** `zone` as cluster.local, without a dot at either end. */
export function answer(question: DnsQuestion, view: DnsView, zone: string): DnsAnswer {
  const name = normal(question.name);
  if (name.endsWith('.in-addr.arpa')) return reverse({ ...question, name }, view, zone);
  return resolve(name, question, view, zone, []);
}

function resolve(
  name: string,
  question: DnsQuestion,
  view: DnsView,
  zone: string,
  aliases: readonly Answer[],
): DnsAnswer {
  if (name !== zone && !name.endsWith(`.${zone}`)) return outside(name, question, view, zone, aliases);
  const labels = name === zone ? [] : name.slice(0, -zone.length - 1).split('.');
  const kind = labels.at(-1);
  const namespace = labels.at(-2);
  if (labels.length === 0) return zoneItself(question, zone);
  if (name === `dns-version.${zone}`) {
    const version: Answer = { type: 'TXT', name, ttl: TTL, data: SCHEMA_VERSION };
    return found(wants(question, 'TXT') ? [version] : [], zone);
  }
  if (kind === 'pod') return pod(name, labels, question, view, zone);
  if (kind !== 'svc') return notFound(zone);
  // svc.cluster.local and NAMESPACE.svc.cluster.local are there, with no records of their own (RFC 8020).
  if (namespace === undefined) return found([], zone);
  if (labels.length === 2) return view.hasServices(namespace) ? found([], zone) : notFound(zone);
  const serviceName = labels.at(-3) as string;
  const service = view.service(namespace, serviceName);
  if (service === undefined) return notFound(zone);
  const rest = labels.slice(0, -3);
  const serviceFqdn = `${serviceName}.${namespace}.svc.${zone}`;
  if (service.kind === 'external-name') {
    if (rest.length > 0 || aliases.length >= MAX_ALIASES) return notFound(zone);
    const alias: StringAnswer = { type: 'CNAME', name, ttl: TTL, data: normal(service.target) };
    return resolve(alias.data, question, view, zone, [...aliases, alias]);
  }
  const result = serviceRecords(name, rest, service, serviceFqdn, question, zone);
  return result.kind === 'answer' ? { ...result, answers: [...aliases, ...result.answers] } : result;
}

/** Pods reach no other network, but a service may answer in the name of what is there. */
function outside(
  name: string,
  question: DnsQuestion,
  view: DnsView,
  zone: string,
  aliases: readonly Answer[],
): DnsAnswer {
  const service = view.standIn(name);
  if (service === undefined || service.kind === 'external-name') return { kind: 'external', name, aliases };
  const result = serviceRecords(name, [], service, name, question, zone);
  return result.kind === 'answer' ? { ...result, answers: [...aliases, ...result.answers] } : result;
}

function serviceRecords(
  name: string,
  rest: readonly string[],
  service: Exclude<DnsService, { kind: 'external-name' }>,
  serviceFqdn: string,
  question: DnsQuestion,
  zone: string,
): DnsAnswer {
  if (rest.length === 0) {
    const ips = service.kind === 'cluster-ip' ? service.ips : service.endpoints.map(({ ip }) => ip);
    // "If there are no ready endpoints for the headless Service, the answer should be NXDOMAIN."
    if (ips.length === 0) return notFound(zone);
    return found(addresses(name, ips, question), zone);
  }
  const [first = '', second = ''] = rest;
  if (rest.length === 2 && first.startsWith('_') && second.startsWith('_')) {
    return srv(name, first.slice(1), second.slice(1), service, serviceFqdn, question, zone);
  }
  if (rest.length === 1 && service.kind === 'headless') {
    const ips = service.endpoints.filter((endpoint) => hostOf(endpoint) === first).map(({ ip }) => ip);
    if (ips.length > 0) return found(addresses(name, ips, question), zone);
  }
  return notFound(zone);
}

function srv(
  name: string,
  port: string,
  protocol: string,
  service: Exclude<DnsService, { kind: 'external-name' }>,
  serviceFqdn: string,
  question: DnsQuestion,
  zone: string,
): DnsAnswer {
  const matches = (candidate: DnsPort): boolean =>
    candidate.name === port && candidate.protocol.toLowerCase() === protocol;
  const targets =
    service.kind === 'cluster-ip'
      ? service.ports.filter(matches).map((found) => ({ target: serviceFqdn, port: found.port, ips: service.ips }))
      : service.endpoints.flatMap((endpoint) =>
          endpoint.ports.filter(matches).map((found) => ({
            target: `${hostOf(endpoint)}.${serviceFqdn}`,
            port: found.port,
            ips: [endpoint.ip],
          })),
        );
  if (targets.length === 0) return notFound(zone);
  if (!wants(question, 'SRV')) return found([], zone);
  const weight = Math.max(1, Math.floor(100 / targets.length));
  const answers = targets.map(
    ({ target, port: number }): SrvAnswer => ({
      type: 'SRV',
      name,
      ttl: TTL,
      data: { priority: 0, weight, port: number, target },
    }),
  );
  const additionals = targets.flatMap(({ target, ips }) => ips.map((ip) => a(target, ip)));
  return { kind: 'answer', rcode: 'NOERROR', answers, additionals, authorities: [] };
}

/** 10-244-0-5.NAMESPACE.pod.cluster.local: the address is in the name (CoreDNS: `pods insecure`). */
function pod(name: string, labels: readonly string[], question: DnsQuestion, view: DnsView, zone: string): DnsAnswer {
  const [dashed = '', namespace] = labels;
  if (labels.length === 1) return found([], zone);
  if (labels.length === 2) {
    const only = labels[0] as string;
    return view.hasServices(only) ? found([], zone) : notFound(zone);
  }
  const ip = dashed.replaceAll('-', '.');
  const valid = /^(\d{1,3})(\.\d{1,3}){3}$/.test(ip) && ip.split('.').every((part) => Number(part) <= 255);
  if (labels.length !== 3 || !valid || namespace === undefined || !view.hasServices(namespace)) return notFound(zone);
  return found(addresses(name, [ip], question), zone);
}

function reverse(question: DnsQuestion, view: DnsView, zone: string): DnsAnswer {
  const parts = question.name.slice(0, -'.in-addr.arpa'.length).split('.');
  const owner = parts.length === 4 ? view.reverse(parts.reverse().join('.')) : undefined;
  if (owner === undefined) return { kind: 'external', name: question.name, aliases: [] };
  const host = owner.host === undefined ? '' : `${owner.host}.`;
  const data = `${host}${owner.name}.${owner.namespace}.svc.${zone}`;
  return found(wants(question, 'PTR') ? [{ type: 'PTR', name: question.name, ttl: TTL, data }] : [], zone);
}

function zoneItself(question: DnsQuestion, zone: string): DnsAnswer {
  if (wants(question, 'SOA')) return found([soa(zone)], zone);
  if (wants(question, 'NS')) return found([{ type: 'NS', name: zone, ttl: TTL, data: `ns.dns.${zone}` }], zone);
  return found([], zone);
}

/** The hostname or, without one, the address with dashes. */
function hostOf({ hostname, ip }: DnsEndpoint): string {
  return hostname ?? ip.replaceAll('.', '-');
}

function addresses(name: string, ips: readonly string[], question: DnsQuestion): Answer[] {
  return wants(question, 'A') ? ips.map((ip) => a(name, ip)) : [];
}

function a(name: string, ip: string): StringAnswer {
  return { type: 'A', name, ttl: TTL, data: ip };
}

function wants({ type }: DnsQuestion, wanted: string): boolean {
  return type === wanted || type === 'ANY';
}

/** No data is told with the zone's SOA, so that resolvers know for how long to believe it (RFC 2308). */
function found(answers: readonly Answer[], zone: string): DnsAnswer {
  const authorities = answers.length === 0 ? [soa(zone)] : [];
  return { kind: 'answer', rcode: 'NOERROR', answers, additionals: [], authorities };
}

function notFound(zone: string): DnsAnswer {
  return { kind: 'answer', rcode: 'NXDOMAIN', answers: [], additionals: [], authorities: [soa(zone)] };
}

function soa(zone: string): SoaAnswer {
  return {
    type: 'SOA',
    name: zone,
    ttl: TTL,
    data: {
      mname: `ns.dns.${zone}`,
      rname: `hostmaster.${zone}`,
      serial: 1,
      refresh: 7200,
      retry: 1800,
      expire: 86_400,
      minimum: TTL,
    },
  };
}

function normal(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
