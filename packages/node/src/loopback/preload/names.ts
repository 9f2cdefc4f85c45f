// Names: dns.lookup and its like answer from the cluster's table first.
import dns, { type LookupAddress, type SrvRecord } from 'node:dns';
import { answer } from '../../dns/answer.ts';
import { viewOf } from '../names.ts';
import type { Fabric } from './fabric.ts';
import { replace } from './replace.ts';

type Callback = (error: Error | null, ...results: unknown[]) => void;
type Call = (...args: unknown[]) => unknown;
type Outcome =
  | { readonly kind: 'outside'; readonly name: string }
  | { readonly kind: 'error'; readonly error: Error }
  | { readonly kind: 'result'; readonly results: readonly unknown[] };

export function patchNames(fabric: Fabric): void {
  const look = (name: unknown, options: unknown): Outcome => lookup(fabric, name, options);
  withCallback(dns, 'lookup', look);
  withPromise(dns.promises, 'lookup', look, oneLookup);
  const callbacks = [dns, dns.Resolver.prototype] as const;
  const promises = [dns.promises, dns.promises.Resolver.prototype] as const;
  const resolves: Readonly<Record<string, (name: unknown, type: unknown) => Outcome>> = {
    resolve4: (name) => resolve4(fabric, name),
    resolveSrv: (name) => resolveSrv(fabric, name),
    resolve: (name, type) => {
      if (typeof type !== 'string' || type === 'A') return resolve4(fabric, name);
      return type === 'SRV' ? resolveSrv(fabric, name) : { kind: 'outside', name: String(name) };
    },
  };
  for (const [method, ask] of Object.entries(resolves)) {
    for (const owner of callbacks) withCallback(owner, method, ask);
    for (const owner of promises) withPromise(owner, method, ask, ([first]) => first);
  }
}

/** As getaddrinfo(3) has Node say it. */
export function notFound(name: string): Error {
  return failure(`getaddrinfo ENOTFOUND ${name}`, 'getaddrinfo', name);
}

function failure(message: string, syscall: string, hostname: string): Error {
  return Object.assign(new Error(message), { errno: -3008, code: 'ENOTFOUND', syscall, hostname });
}

function withCallback(owner: object, name: string, ask: (...args: unknown[]) => Outcome): void {
  replace(owner as { [name: string]: Call }, name, (original) => {
    return function (this: unknown, ...args: unknown[]): unknown {
      const callback = args.at(-1);
      if (typeof callback !== 'function') return original.apply(this, args);
      const outcome = ask(...args.slice(0, -1));
      if (outcome.kind === 'outside') return original.call(this, outcome.name, ...args.slice(1));
      const tell = callback as Callback;
      if (outcome.kind === 'error') process.nextTick(tell, outcome.error);
      else process.nextTick(tell, null, ...outcome.results);
      return {};
    };
  });
}

function withPromise(
  owner: object,
  name: string,
  ask: (...args: unknown[]) => Outcome,
  shape: (results: readonly unknown[]) => unknown,
): void {
  replace(owner as { [name: string]: Call }, name, (original) => {
    return function (this: unknown, ...args: unknown[]): unknown {
      const outcome = ask(...args);
      if (outcome.kind === 'outside') return original.call(this, outcome.name, ...args.slice(1));
      return outcome.kind === 'error' ? Promise.reject(outcome.error) : Promise.resolve(shape(outcome.results));
    };
  });
}

/** `all` gives a list, otherwise an address and its family. */
function lookup(fabric: Fabric, name: unknown, given: unknown): Outcome {
  if (typeof name !== 'string' || name === '' || /^[\d.]+$|:/.test(name)) {
    return { kind: 'outside', name: name as string };
  }
  const { all = false, family = 0 } = typeof given === 'object' && given !== null ? (given as dns.LookupOptions) : {};
  const wanted = typeof given === 'number' ? given : family;
  const found = fabric.resolve(name);
  if (found.kind === 'outside') return found;
  const addresses: LookupAddress[] =
    found.kind === 'unknown'
      ? []
      : found.addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  const fitting = addresses.filter((each) => wanted === 0 || wanted === each.family || wanted === `IPv${each.family}`);
  const [first] = fitting;
  if (first === undefined) return { kind: 'error', error: notFound(name) };
  return { kind: 'result', results: all ? [fitting] : [first.address, first.family] };
}

function oneLookup([first, family]: readonly unknown[]): unknown {
  return Array.isArray(first) ? first : { address: first, family };
}

function resolve4(fabric: Fabric, name: unknown): Outcome {
  const found = fabric.resolve(String(name));
  if (found.kind === 'outside') return found;
  if (found.kind === 'addresses') return { kind: 'result', results: [[...found.addresses]] };
  return { kind: 'error', error: failure(`queryA ENOTFOUND ${name}`, 'queryA', String(name)) };
}

/** No search list: SRV is asked for by full names. */
function resolveSrv(fabric: Fabric, given: unknown): Outcome {
  const name = String(given);
  if (!fabric.isPod) return { kind: 'outside', name };
  const { table } = fabric;
  const said = answer({ name, type: 'SRV' }, viewOf(table), table.zone);
  if (said.kind === 'external') return { kind: 'outside', name };
  const records: SrvRecord[] = said.answers.flatMap((record) =>
    record.type === 'SRV'
      ? [
          {
            name: record.data.target,
            port: record.data.port,
            priority: record.data.priority ?? 0,
            weight: record.data.weight ?? 0,
            type: 'SRV',
          } as SrvRecord,
        ]
      : [],
  );
  if (records.length > 0) return { kind: 'result', results: [records] };
  return { kind: 'error', error: failure(`querySrv ENOTFOUND ${name}`, 'querySrv', name) };
}
