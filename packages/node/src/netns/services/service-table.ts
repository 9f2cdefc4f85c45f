// Cluster IPs in the kernel: connections to a service's address are translated to one of its endpoints.
import { ipv4Bytes } from '../../netlink/libc.ts';
import type { NetlinkSocket } from '../../netlink/netlink.ts';
import {
  type Choice,
  drop,
  type Field,
  followMap,
  hostOrder,
  IPPROTO_TCP,
  IPPROTO_UDP,
  isIn,
  isInvalid,
  portBytes,
  translateByMap,
  translateSource,
} from '../../netlink/nft-expressions.ts';
import { type BaseChain, type DataType, NftTransaction, type Rule, type SetElement } from '../../netlink/nftables.ts';
import type { ServiceRules } from './service-rules.ts';

const TABLE = 'varka-services';
const FRONTEND: readonly Field[] = ['ip daddr', 'meta l4proto', 'th dport'];
const FRONTEND_TYPES: readonly DataType[] = ['ipv4_addr', 'inet_proto', 'inet_service'];
const TARGET_TYPES: readonly DataType[] = ['ipv4_addr', 'inet_service'];
/**
 * What a change of an element takes at most, the old one and the new. A transaction must fit a socket's send buffer,
 * which is 208 KiB where the machine's owner set nothing.
 */
const CHANGE_BYTES = { frontends: 112, backends: 80, loops: 40 } as const;
const MAX_TRANSACTION_BYTES = 200 * 1024;

type SetName = keyof typeof CHANGE_BYTES;

interface Change {
  readonly set: SetName;
  readonly key: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** In the network namespace the process is in; it goes with it. */
export class ServiceTable {
  /** What the kernel has: each transaction is carried out as a whole or not at all. */
  readonly #applied: Readonly<Record<SetName, Map<string, string>>> = {
    frontends: new Map(),
    backends: new Map(),
    loops: new Map(),
  };
  /** Those that choose an endpoint. Never taken away: there are as many as services have different numbers of them. */
  readonly #chains = new Set<string>();
  readonly #socket: NetlinkSocket;

  /** `nodeAddress` is whom a pod hears from when it calls itself through a service. The socket stays the caller's. */
  constructor(socket: NetlinkSocket, nodeAddress: string) {
    this.#socket = socket;
    const transaction = new NftTransaction(TABLE);
    transaction.createTable();
    transaction.addSet({ name: 'frontends', key: FRONTEND_TYPES, values: 'verdict' });
    // nft has no other name for a number in the kernel's own order.
    transaction.addSet({ name: 'backends', key: [...FRONTEND_TYPES, 'mark'], values: TARGET_TYPES });
    transaction.addSet({ name: 'loops', key: ['ipv4_addr', 'ipv4_addr'] });
    for (const chain of baseChains(nodeAddress)) transaction.addChain(chain);
    transaction.commit(this.#socket);
  }

  /**
   * Makes the kernel's table say what `rules` say, in one transaction: no connection meets half a change. One too large
   * for that is made in several, backends before the frontends that lead to them, and taken away in the other order.
   * Throws what the kernel refused; the next call goes on from what is there.
   */
  apply(rules: ServiceRules): void {
    const changes = (set: SetName): Change[] => difference(set, this.#applied[set], rules[set]);
    const come = [...changes('loops'), ...changes('backends')];
    const ordered = [
      ...come.filter(({ after }) => after !== undefined),
      ...changes('frontends'),
      ...come.filter(({ after }) => after === undefined),
    ];
    for (const part of parts(ordered)) this.#commit(part);
  }

  #commit(changes: readonly Change[]): void {
    const transaction = new NftTransaction(TABLE);
    const chains = new Set<string>();
    for (const { set, after } of changes) {
      if (set === 'frontends' && after !== undefined && !this.#chains.has(after)) chains.add(after);
    }
    for (const chain of chains) transaction.addChain({ name: chain, rules: [choosingRule(chain)] });
    for (const set of ['frontends', 'backends', 'loops'] as const) {
      const own = changes.filter((change) => change.set === set);
      transaction.deleteElements(
        set,
        own.flatMap(({ key, before }) => (before === undefined ? [] : [{ key: encode(key) }])),
      );
      transaction.addElements(
        set,
        own.flatMap(({ key, after }) => (after === undefined ? [] : [element(set, key, after)])),
      );
    }
    transaction.commit(this.#socket);
    for (const chain of chains) this.#chains.add(chain);
    for (const { set, key, after } of changes) {
      if (after === undefined) this.#applied[set].delete(key);
      else this.#applied[set].set(key, after);
    }
  }
}

function difference(set: SetName, old: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): Change[] {
  const changes: Change[] = [];
  for (const [key, after] of wanted) {
    const before = old.get(key);
    if (before !== after) changes.push({ set, key, before, after });
  }
  for (const [key, before] of old) {
    if (!wanted.has(key)) changes.push({ set, key, before, after: undefined });
  }
  return changes;
}

function* parts(changes: readonly Change[]): Generator<Change[]> {
  let part: Change[] = [];
  let bytes = 0;
  for (const change of changes) {
    bytes += CHANGE_BYTES[change.set];
    if (bytes > MAX_TRANSACTION_BYTES) {
      yield part;
      part = [];
      bytes = CHANGE_BYTES[change.set];
    }
    part.push(change);
  }
  if (part.length > 0) yield part;
}

function baseChains(nodeAddress: string): BaseChain[] {
  const translate: Rule = {
    text: 'ip daddr . meta l4proto . th dport vmap @frontends',
    expressions: followMap(FRONTEND, 'frontends'),
  };
  return [
    { name: 'prerouting', type: 'nat', hook: 'prerouting', rules: [translate] },
    { name: 'output', type: 'nat', hook: 'output', rules: [translate] },
    {
      name: 'postrouting',
      type: 'nat',
      hook: 'postrouting',
      rules: [
        {
          // A pod drops packets from outside that bear its own address.
          text: `ip saddr . ip daddr @loops snat to ${nodeAddress}`,
          expressions: [...isIn(['ip saddr', 'ip daddr'], 'loops'), ...translateSource(nodeAddress)],
        },
      ],
    },
    {
      name: 'forward',
      type: 'filter',
      hook: 'forward',
      rules: [
        {
          // What connection tracking cannot place is not translated back: it would reach the client from an address it
          // never called, and be answered with a reset of the connection (kube-proxy has the same rule).
          text: 'ct state invalid drop',
          expressions: [...isInvalid(), ...drop()],
        },
      ],
    },
  ];
}

/** `random-3`, `by-client-2`: how to choose, and among how many. */
function choosingRule(chain: string): Rule {
  const at = chain.lastIndexOf('-');
  const choice = chain.slice(0, at) as Choice;
  const among = Number(chain.slice(at + 1));
  return {
    text: `dnat to ${FRONTEND.join(' . ')} . ${choice} mod ${among} map @backends`,
    expressions: translateByMap(FRONTEND, choice, among, 'backends'),
  };
}

function element(set: SetName, key: string, value: string): SetElement {
  switch (set) {
    case 'frontends':
      return { key: encode(key), value: { kind: 'goto', chain: value } };
    case 'backends':
      return { key: encode(key), value: encode(value) };
    case 'loops':
      return { key: encode(key) };
  }
}

/** Each part at the start of four bytes of its own, as the kernel loads them. */
function encode(text: string): Buffer {
  const parts = text.split(' . ');
  const bytes = Buffer.alloc(4 * parts.length);
  parts.forEach((part, index) => {
    encodePart(part, index).copy(bytes, 4 * index);
  });
  return bytes;
}

function encodePart(part: string, index: number): Buffer {
  if (part === 'tcp') return Buffer.from([IPPROTO_TCP]);
  if (part === 'udp') return Buffer.from([IPPROTO_UDP]);
  if (part.includes('.')) return ipv4Bytes(part);
  // The only fourth part is a backend's number; the kernel chooses one in its own order.
  return index === 3 ? hostOrder(Number(part)) : portBytes(Number(part));
}
