// rtnetlink: links, addresses and routes of the network namespace the process is in.
import { AF_INET, ipv4Bytes } from './libc.ts';
import {
  attribute,
  type NetlinkRequest,
  NetlinkSocket,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  nested,
  text,
  u32,
} from './netlink.ts';

const NETLINK_ROUTE = 0;
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_NEWNEIGH = 28;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PREFSRC = 7;
const IFF_UP = 1;
const RT_TABLE_MAIN = 254;
const RT_TABLE_LOCAL = 255;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;
const REQUEST = NLM_F_REQUEST | NLM_F_ACK;
const CREATE = REQUEST | NLM_F_CREATE | NLM_F_EXCL;

/** The loopback interface has index 1 in every network namespace. */
export const LOOPBACK_INDEX = 1;

/** struct ifinfomsg. */
function linkHeader(index = 0, up = false): Buffer {
  const buffer = Buffer.alloc(16);
  buffer.writeInt32LE(index, 4);
  if (up) {
    buffer.writeUInt32LE(IFF_UP, 8);
    buffer.writeUInt32LE(IFF_UP, 12);
  }
  return buffer;
}

export function linkUp(name: string): NetlinkRequest {
  return {
    type: RTM_NEWLINK,
    flags: REQUEST,
    body: Buffer.concat([linkHeader(0, true), text(IFLA_IFNAME, name)]),
    doing: `bring up the interface ${name}`,
  };
}

export function createBridge(name: string): NetlinkRequest {
  const info = nested(IFLA_LINKINFO, [text(IFLA_INFO_KIND, 'bridge')]);
  return {
    type: RTM_NEWLINK,
    flags: CREATE,
    body: Buffer.concat([linkHeader(0, true), text(IFLA_IFNAME, name), info]),
    doing: `create the bridge ${name}`,
  };
}

interface VethEnd {
  readonly name: string;
  readonly hardwareAddress: Buffer;
}

/** A veth pair: one end here, its peer in the namespace of `peerNetnsFd`; both are down. */
export function createVethPair(here: VethEnd, there: VethEnd, peerNetnsFd: number): NetlinkRequest {
  const ends = (end: VethEnd): Buffer[] => [text(IFLA_IFNAME, end.name), attribute(IFLA_ADDRESS, end.hardwareAddress)];
  const peer = Buffer.concat([linkHeader(), ...ends(there), u32(IFLA_NET_NS_FD, peerNetnsFd)]);
  const info = nested(IFLA_LINKINFO, [
    text(IFLA_INFO_KIND, 'veth'),
    nested(IFLA_INFO_DATA, [attribute(VETH_INFO_PEER, peer)]),
  ]);
  return {
    type: RTM_NEWLINK,
    flags: CREATE,
    body: Buffer.concat([linkHeader(), ...ends(here), info]),
    doing: `create the veth pair ${here.name}/${there.name}`,
  };
}

/** struct ifaddrmsg. */
export function addAddress(linkIndex: number, address: string, prefixLength: number): NetlinkRequest {
  const header = Buffer.alloc(8);
  header.writeUInt8(AF_INET, 0);
  header.writeUInt8(prefixLength, 1);
  header.writeUInt32LE(linkIndex, 4);
  const bytes = ipv4Bytes(address);
  return {
    type: RTM_NEWADDR,
    flags: CREATE,
    body: Buffer.concat([header, attribute(IFA_LOCAL, bytes), attribute(IFA_ADDRESS, bytes)]),
    doing: `add the address ${address}/${prefixLength}`,
  };
}

export interface LinkRoute {
  readonly address: string;
  readonly prefixLength: number;
  readonly linkIndex: number;
  /** The address this machine itself takes on that way. */
  readonly source?: string;
}

/** struct rtmsg. */
function routeHeader(prefixLength: number, scope: number, table = RT_TABLE_MAIN): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt8(AF_INET, 0);
  header.writeUInt8(prefixLength, 1);
  header.writeUInt8(table, 4);
  header.writeUInt8(RTPROT_STATIC, 5);
  header.writeUInt8(scope, 6);
  header.writeUInt8(RTN_UNICAST, 7);
  return header;
}

function linkRoute({ address, prefixLength, linkIndex, source }: LinkRoute): Buffer {
  return Buffer.concat([
    routeHeader(prefixLength, RT_SCOPE_LINK),
    attribute(RTA_DST, ipv4Bytes(address)),
    u32(RTA_OIF, linkIndex),
    ...(source === undefined ? [] : [attribute(RTA_PREFSRC, ipv4Bytes(source))]),
  ]);
}

/** In place of an earlier one, should the link it led to not have gone yet. */
export function addLinkRoute(route: LinkRoute): NetlinkRequest {
  return {
    type: RTM_NEWROUTE,
    flags: REQUEST | NLM_F_CREATE | NLM_F_REPLACE,
    body: linkRoute(route),
    doing: `add the route to ${route.address}/${route.prefixLength}`,
  };
}

export function deleteLinkRoute(route: LinkRoute): NetlinkRequest {
  return {
    type: RTM_DELROUTE,
    flags: REQUEST,
    body: linkRoute(route),
    doing: `delete the route to ${route.address}/${route.prefixLength}`,
  };
}

export interface GatewayRoute extends Omit<LinkRoute, 'linkIndex'> {
  readonly gateway: string;
  /** Above what the kernel takes for addresses of its own (all of 127.0.0.0/8), in the table that it asks first. */
  readonly overLocal?: boolean;
}

export function addGatewayRoute({ address, prefixLength, gateway, source, overLocal }: GatewayRoute): NetlinkRequest {
  return {
    type: RTM_NEWROUTE,
    flags: CREATE,
    body: Buffer.concat([
      routeHeader(prefixLength, RT_SCOPE_UNIVERSE, overLocal === true ? RT_TABLE_LOCAL : RT_TABLE_MAIN),
      attribute(RTA_DST, ipv4Bytes(address)),
      attribute(RTA_GATEWAY, ipv4Bytes(gateway)),
      ...(source === undefined ? [] : [attribute(RTA_PREFSRC, ipv4Bytes(source))]),
    ]),
    doing: `add the route to ${address}/${prefixLength} via ${gateway}`,
  };
}

export function defaultRoute(gateway: string): NetlinkRequest {
  return addGatewayRoute({ address: '0.0.0.0', prefixLength: 0, gateway });
}

/** struct ndmsg. An entry for good: nothing need be asked by ARP. */
export function addNeighbor(linkIndex: number, address: string, hardwareAddress: Buffer): NetlinkRequest {
  const header = Buffer.alloc(12);
  header.writeUInt8(AF_INET, 0);
  header.writeInt32LE(linkIndex, 4);
  header.writeUInt16LE(NUD_PERMANENT, 8);
  return {
    type: RTM_NEWNEIGH,
    flags: REQUEST | NLM_F_CREATE | NLM_F_REPLACE,
    body: Buffer.concat([header, attribute(NDA_DST, ipv4Bytes(address)), attribute(NDA_LLADDR, hardwareAddress)]),
    doing: `add the neighbour ${address}`,
  };
}

export class RouteSocket {
  readonly #socket = new NetlinkSocket(NETLINK_ROUTE, 'open an rtnetlink socket');

  /** In the order given. Throws the first refusal; the kernel has still done the others. */
  apply(requests: readonly NetlinkRequest[]): void {
    this.#socket.send(requests);
  }

  indexOf(name: string): number {
    const [reply] = this.#socket.send([
      {
        type: RTM_GETLINK,
        flags: REQUEST,
        body: Buffer.concat([linkHeader(), text(IFLA_IFNAME, name)]),
        doing: `look up the interface ${name}`,
      },
    ]);
    if (reply === undefined) throw new Error(`the kernel did not describe the interface ${name}`);
    return reply.readInt32LE(4);
  }

  close(): void {
    this.#socket.close();
  }
}
