// nf_tables as the kernel hears it: transactions on an IPv4 table's chains, rules, sets and maps, all or nothing each,
// in the network namespace the process is in.
import {
  attribute,
  be32,
  type NetlinkRequest,
  NetlinkSocket,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_REQUEST,
  nested,
  text,
} from './netlink.ts';
import { type Expression, type Verdict, verdictData } from './nft-expressions.ts';

const NETLINK_NETFILTER = 12;
const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_NEWRULE = 6;
const NFT_MSG_NEWSET = 9;
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_DELSETELEM = 14;
const NFPROTO_UNSPEC = 0;
const NFPROTO_IPV4 = 2;
const NF_ACCEPT = 1;
const LIST_ELEMENT = 1;
const SET_IS_MAP = 8;
const DATA_IS_VERDICT = 0xffffff00;
/** A list of elements is one attribute, whose length has 16 bits. */
const MAX_LIST_BYTES = 60_000;

/** netfilter's hook numbers. */
const HOOKS = { prerouting: 0, forward: 2, output: 3, postrouting: 4 } as const;
/** nft's names for the priorities: dstnat, srcnat, filter. */
const NAT_PRIORITIES = { prerouting: -100, output: -100, postrouting: 100, forward: 0 } as const;

export interface BaseChain {
  readonly name: string;
  readonly type: 'nat' | 'filter';
  readonly hook: keyof typeof HOOKS;
  readonly rules: readonly Rule[];
}

/** Entered only by a `goto`. */
export interface PlainChain {
  readonly name: string;
  readonly rules: readonly Rule[];
}

export interface Rule {
  /** In nft's words, for error messages. */
  readonly text: string;
  readonly expressions: readonly Expression[];
}

/** nft's numbers for what a field is; only `nft list` looks at them, which shows the parts of a key by them. */
const DATA_TYPES = { ipv4_addr: 7, inet_proto: 12, inet_service: 13, mark: 19 } as const;
export type DataType = keyof typeof DATA_TYPES;

/** A set, or with `values` a map. Every part of a key or value fills four bytes. */
export interface SetShape {
  readonly name: string;
  readonly key: readonly DataType[];
  readonly values?: 'verdict' | readonly DataType[];
}

export interface SetElement {
  readonly key: Buffer;
  readonly value?: Buffer | Verdict;
}

/**
 * Takes nf_tables' and ctnetlink's requests for the network namespace the process is in. Who takes elements away keeps
 * it open: closing it waits until the kernel has freed them, which is 5 to 15 ms.
 */
export function openNetfilter(): NetlinkSocket {
  return new NetlinkSocket(NETLINK_NETFILTER, 'open a netfilter socket');
}

export class NftTransaction {
  readonly #table: string;
  readonly #messages: NetlinkRequest[] = [];
  #sets = 0;

  constructor(table: string) {
    this.#table = table;
  }

  createTable(): void {
    this.#add(NFT_MSG_NEWTABLE, NLM_F_CREATE, [text(1, this.#table), be32(2, 0)], `create the table ${this.#table}`);
  }

  addChain(chain: BaseChain | PlainChain): void {
    const attributes = [text(1, this.#table), text(3, chain.name)];
    if ('hook' in chain) {
      const priority = chain.type === 'nat' ? NAT_PRIORITIES[chain.hook] : 0;
      attributes.push(
        text(7, chain.type),
        be32(5, NF_ACCEPT),
        nested(4, [be32(1, HOOKS[chain.hook]), be32(2, priority)]),
      );
    }
    this.#add(NFT_MSG_NEWCHAIN, NLM_F_CREATE, attributes, `create the chain ${chain.name}`);
    for (const { text: words, expressions } of chain.rules) {
      this.#add(
        NFT_MSG_NEWRULE,
        NLM_F_CREATE | NLM_F_APPEND,
        [text(1, this.#table), text(2, chain.name), nested(4, expressions)],
        `add the rule "${words}" to ${chain.name}`,
      );
    }
  }

  addSet({ name, key, values }: SetShape): void {
    this.#sets += 1;
    const attributes = [
      text(1, this.#table),
      text(2, name),
      be32(3, values === undefined ? 0 : SET_IS_MAP),
      be32(4, concatenated(key)),
      be32(5, 4 * key.length),
      be32(10, this.#sets),
    ];
    if (values === 'verdict') attributes.push(be32(6, DATA_IS_VERDICT));
    else if (values !== undefined) attributes.push(be32(6, concatenated(values)), be32(7, 4 * values.length));
    this.#add(NFT_MSG_NEWSET, NLM_F_CREATE, attributes, `create the set ${name}`);
  }

  addElements(set: string, elements: readonly SetElement[]): void {
    this.#elements(NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, elements, `add to the set ${set}`);
  }

  deleteElements(set: string, elements: readonly SetElement[]): void {
    this.#elements(NFT_MSG_DELSETELEM, 0, set, elements, `take from the set ${set}`);
  }

  /** All or nothing. */
  commit(socket: NetlinkSocket): void {
    if (this.#messages.length === 0) return;
    socket.send([batchEdge(NFNL_MSG_BATCH_BEGIN), ...this.#messages, batchEdge(NFNL_MSG_BATCH_END)]);
  }

  #elements(message: number, flags: number, set: string, elements: readonly SetElement[], doing: string): void {
    let list: Buffer[] = [];
    let size = 0;
    const flush = (): void => {
      if (list.length === 0) return;
      this.#add(message, flags, [text(1, this.#table), text(2, set), nested(3, list)], doing);
      list = [];
      size = 0;
    };
    for (const element of elements) {
      const encoded = encodeElement(element);
      if (size + encoded.length > MAX_LIST_BYTES) flush();
      list.push(encoded);
      size += encoded.length;
    }
    flush();
  }

  #add(message: number, flags: number, attributes: Buffer[], doing: string): void {
    this.#messages.push({
      type: (NFNL_SUBSYS_NFTABLES << 8) | message,
      flags: NLM_F_REQUEST | NLM_F_ACK | flags,
      body: Buffer.concat([header(NFPROTO_IPV4), ...attributes]),
      doing,
    });
  }
}

/** A table that stays as it is made. */
export function createTable(table: string, chains: readonly BaseChain[]): void {
  const transaction = new NftTransaction(table);
  transaction.createTable();
  for (const chain of chains) transaction.addChain(chain);
  const socket = openNetfilter();
  try {
    transaction.commit(socket);
  } finally {
    socket.close();
  }
}

function encodeElement({ key, value }: SetElement): Buffer {
  const attributes = [nested(1, [attribute(1, key)])];
  if (Buffer.isBuffer(value)) attributes.push(nested(2, [attribute(1, value)]));
  else if (value !== undefined) attributes.push(nested(2, [verdictData(value)]));
  return nested(LIST_ELEMENT, attributes);
}

/** nft packs the types of a key's parts into one number, six bits each. */
function concatenated(types: readonly DataType[]): number {
  return types.reduce((packed, type) => (packed << 6) | DATA_TYPES[type], 0);
}

/** struct nfgenmsg. */
function header(family: number, resource = 0): Buffer {
  return Buffer.from([family, 0, resource >> 8, resource & 0xff]);
}

function batchEdge(type: number): NetlinkRequest {
  return {
    type,
    flags: NLM_F_REQUEST,
    body: header(NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES),
    doing: 'start a transaction of nf_tables',
  };
}
