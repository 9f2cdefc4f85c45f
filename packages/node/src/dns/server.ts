// The cluster's DNS server, over UDP and TCP. What it says is decided in answer.ts.
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from '@varka/kube/log.ts';
import type { Answer } from 'dns-packet';
import { answer, type DnsView } from './answer.ts';
import { bareReply, encodeReply, type Query, type Rcode, readQuery } from './message.ts';

/** Longer queries than this have no honest reason. */
const MAX_QUERY = 4_096;
const MAX_TCP_CONNECTIONS = 128;
const TCP_IDLE_MS = 10_000;
/** Questions for the world outside that may be under way at once. */
const MAX_EXTERNAL = 256;

export interface ExternalAnswer {
  readonly rcode: Extract<Rcode, 'NOERROR' | 'NXDOMAIN' | 'SERVFAIL'>;
  readonly answers: readonly Answer[];
}

export interface DnsServerOptions {
  readonly address: string;
  readonly port: number;
  /** cluster.local */
  readonly zone: string;
  readonly view: DnsView;
  /** Resolves what is not the cluster's. Without it such names do not exist: from inside there is no way out. */
  readonly external?: (question: { name: string; type: string }) => Promise<ExternalAnswer>;
  readonly log: Logger;
}

export interface DnsServer {
  readonly port: number;
  close(): Promise<void>;
}

const NOWHERE: ExternalAnswer = { rcode: 'NXDOMAIN', answers: [] };

export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const responder = new Responder(options);
  const tcp = createServer((socket) => serveStream(socket, responder));
  tcp.maxConnections = MAX_TCP_CONNECTIONS;
  await listenTcp(tcp, options);
  tcp.on('error', (error) => options.log.error('the DNS server’s TCP side failed', { error: error.message }));
  const bound = tcp.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : options.port;
  const udp = createSocket('udp4');
  udp.on('message', (message, peer) => serveDatagram(udp, message, peer, responder));
  udp.bind({ address: options.address, port });
  try {
    await once(udp, 'listening');
  } catch (error) {
    tcp.close();
    throw error;
  }
  udp.on('error', (error) => options.log.error('the DNS server’s UDP side failed', { error: error.message }));
  return {
    port,
    close: async () => {
      udp.close();
      responder.closeStreams();
      const closed = once(tcp, 'close');
      tcp.close();
      await closed;
    },
  };
}

async function listenTcp(tcp: Server, { address, port }: DnsServerOptions): Promise<void> {
  tcp.listen({ host: address, port });
  await once(tcp, 'listening');
}

class Responder {
  readonly streams = new Set<Socket>();
  readonly #options: DnsServerOptions;
  #external = 0;

  constructor(options: DnsServerOptions) {
    this.#options = options;
  }

  closeStreams(): void {
    for (const socket of this.streams) socket.destroy();
  }

  /** Undefined for what must not be answered at all. */
  async reply(message: Buffer, datagram: boolean): Promise<Buffer | undefined> {
    const read = readQuery(message);
    if (read.kind === 'drop') return undefined;
    if (read.kind === 'refuse') return bareReply(read.id, read.rcode);
    try {
      return await this.#answer(read.query, datagram);
    } catch (error) {
      this.#options.log.error('a DNS question was not answered', { name: read.query.name, error: String(error) });
      return bareReply(read.query.id, 'SERVFAIL');
    }
  }

  async #answer(query: Query, datagram: boolean): Promise<Buffer> {
    const { view, zone } = this.#options;
    const decided = answer(query, view, zone);
    const fits = datagram ? query.udpSize : undefined;
    if (decided.kind === 'answer') return encodeReply(query, { ...decided, authoritative: true }, fits);
    const { rcode, answers } = await this.#askOutside({ name: decided.name, type: query.type });
    const reply = { rcode, answers: [...decided.aliases, ...answers], additionals: [], authorities: [] };
    return encodeReply(query, { ...reply, authoritative: false }, fits);
  }

  async #askOutside(question: { name: string; type: string }): Promise<ExternalAnswer> {
    const { external, log } = this.#options;
    if (external === undefined) return NOWHERE;
    if (this.#external >= MAX_EXTERNAL) return { rcode: 'SERVFAIL', answers: [] };
    this.#external += 1;
    try {
      return await external(question);
    } catch (error) {
      log.debug('an outside name was not resolved', { ...question, error: String(error) });
      return { rcode: 'SERVFAIL', answers: [] };
    } finally {
      this.#external -= 1;
    }
  }
}

function serveDatagram(udp: UdpSocket, message: Buffer, peer: RemoteInfo, responder: Responder): void {
  // From port 0 comes what wants no answer (RFC 768), and none can be sent there.
  if (message.length > MAX_QUERY || peer.port === 0) return;
  void responder.reply(message, true).then((reply) => {
    if (reply === undefined) return;
    try {
      udp.send(reply, peer.port, peer.address);
    } catch (error) {
      // Closed while the answer was being found: nobody is waiting for it.
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SOCKET_DGRAM_NOT_RUNNING') throw error;
    }
  });
}

/** RFC 7766: each message after its length in two bytes; several may come on one connection, answered in order. */
function serveStream(socket: Socket, responder: Responder): void {
  responder.streams.add(socket);
  socket.on('close', () => responder.streams.delete(socket));
  socket.on('error', () => socket.destroy());
  socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
  void answerStream(socket, responder);
}

/** There is room again, or there never will be. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}

async function answerStream(socket: Socket, responder: Responder): Promise<void> {
  let buffered = Buffer.alloc(0);
  try {
    for await (const chunk of socket) {
      buffered = Buffer.concat([buffered, chunk as Buffer]);
      while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
        const end = 2 + buffered.readUInt16BE(0);
        const reply = await responder.reply(buffered.subarray(2, end), false);
        buffered = buffered.subarray(end);
        if (reply === undefined || !socket.writable) return;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        // Answers not taken hold up the reading of more questions.
        if (!socket.write(Buffer.concat([length, reply]))) await drained(socket);
      }
      if (buffered.length >= 2 && buffered.readUInt16BE(0) > MAX_QUERY) return;
    }
  } catch {
    // The peer broke off; there is no one to tell.
    return;
  } finally {
    socket.end();
  }
}
