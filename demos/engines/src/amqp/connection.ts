// One client's connection: the handshake, its channels, heartbeats, and how errors end what they must.
import { AmqpError } from './amqp-error.ts';
import type { Broker } from './broker.ts';
import { encodeTable, SyntaxProblem } from './bytes.ts';
import { Channel } from './channel.ts';
import { decodeContentHeader, encodeContent, encodeFrame, FRAME, type Frame, MAX_FRAME_BYTES } from './frames.ts';
import { decodeMethod, encodeMethod, type Fields, type Method, type MethodName } from './methods.ts';

export const BROKER_VERSION = '3.10.0';
const MAX_CHANNELS = 2047;
const HEARTBEAT_SECONDS = 60;

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export interface Transport {
  write(bytes: Buffer): void;
  /** Nothing more will be written. */
  end(): void;
  writable(): boolean;
  /** From now on a heartbeat every half of `seconds`, and an end after twice that time of silence; 0: none. */
  heartbeat(seconds: number): void;
}

type Phase = 'start' | 'tune' | 'open' | 'running' | 'closing';

export class Connection {
  readonly #broker: Broker;
  readonly #transport: Transport;
  readonly #credentials: Credentials;
  /** `closing`: an error was told on it, and all it sends before its close-ok is ignored. */
  readonly #channels = new Map<number, Channel | 'closing'>();
  #phase: Phase = 'start';
  #frameMax = MAX_FRAME_BYTES;
  #channelMax = MAX_CHANNELS;

  constructor(broker: Broker, transport: Transport, credentials: Credentials) {
    this.#broker = broker;
    this.#transport = transport;
    this.#credentials = credentials;
  }

  /** Called when the client's protocol header was right. */
  greet(): void {
    const properties = encodeTable({
      product: 'Varka demo broker (AMQP 0-9-1)',
      version: BROKER_VERSION,
      capabilities: {
        publisher_confirms: true,
        'basic.nack': true,
        consumer_cancel_notify: true,
        authentication_failure_close: true,
        per_consumer_qos: true,
      },
    });
    this.#send(0, 'connection.start', { major: 0, minor: 9, properties, mechanisms: 'PLAIN', locales: 'en_US' });
  }

  /** Never throws: what is wrong is told to the client. */
  handle(frame: Frame): void {
    let method: Method | undefined;
    try {
      if (frame.type === FRAME.heartbeat) return;
      if (frame.type === FRAME.method) method = decodeMethod(frame.payload);
      this.#dispatch(frame, method);
    } catch (error) {
      const problem =
        error instanceof AmqpError
          ? error
          : error instanceof SyntaxProblem
            ? new AmqpError(501, error.message)
            : new AmqpError(541, error instanceof Error ? error.message : String(error));
      if (problem.code === 541) console.error('internal error:', error);
      this.fail(problem, frame.channel, method);
    }
  }

  fail(error: AmqpError, channel: number, method?: Method): void {
    const fields = {
      code: error.code,
      text: error.message,
      classId: method?.classId ?? 0,
      methodId: method?.methodId ?? 0,
    };
    if (error.endsConnection || channel === 0 || this.#phase !== 'running') {
      if (this.#phase !== 'closing') this.#send(0, 'connection.close', fields);
      this.#phase = 'closing';
      this.#closeChannels();
      // The client's close-ok is not waited for: one that breaks the rules may never send it.
      this.#transport.end();
    } else {
      const open = this.#channels.get(channel);
      this.#channels.set(channel, 'closing');
      if (open instanceof Channel) open.close();
      this.#send(channel, 'channel.close', fields);
    }
  }

  /** The client can take more again. */
  drained(): void {
    for (const channel of this.#channels.values()) if (channel instanceof Channel) channel.pump();
  }

  /** The socket is gone. */
  close(): void {
    this.#phase = 'closing';
    this.#closeChannels();
    this.#broker.ownerGone(this);
  }

  #closeChannels(): void {
    const open = [...this.#channels.values()];
    this.#channels.clear();
    for (const channel of open) if (channel instanceof Channel) channel.close();
  }

  #send(channel: number, name: MethodName, fields?: Fields): void {
    if (this.#phase === 'closing') return;
    this.#transport.write(encodeFrame(FRAME.method, channel, encodeMethod(name, fields)));
  }

  #dispatch(frame: Frame, method: Method | undefined): void {
    if (this.#phase === 'closing') return;
    if (frame.channel === 0) {
      if (method === undefined) throw new AmqpError(505, 'only methods are sent on channel 0');
      this.#connectionMethod(method);
      return;
    }
    if (this.#phase !== 'running') throw new AmqpError(503, 'the connection is not open yet');
    const channel = this.#channels.get(frame.channel);
    if (method?.name === 'channel.open') {
      this.#openChannel(frame.channel);
      return;
    }
    if (channel === 'closing') {
      if (method?.name === 'channel.close-ok' || method?.name === 'channel.close') this.#channels.delete(frame.channel);
      if (method?.name === 'channel.close') this.#send(frame.channel, 'channel.close-ok');
      return;
    }
    if (channel === undefined) throw new AmqpError(504, `expected 'channel.open' on channel ${frame.channel}`);
    if (method?.name === 'channel.close') {
      this.#channels.delete(frame.channel);
      channel.close();
      this.#send(frame.channel, 'channel.close-ok');
    } else if (method !== undefined) {
      channel.handle(method);
    } else if (frame.type === FRAME.header) {
      channel.header(decodeContentHeader(frame.payload));
    } else if (frame.type === FRAME.body) {
      channel.body(Buffer.from(frame.payload));
    } else {
      throw new SyntaxProblem(`a frame of the unknown type ${frame.type}`);
    }
  }

  #openChannel(number: number): void {
    if (this.#channels.has(number)) throw new AmqpError(504, `second 'channel.open' seen on channel ${number}`);
    if (number > this.#channelMax)
      throw new AmqpError(530, `channel ${number} is above the maximum ${this.#channelMax}`);
    const channel = new Channel(this.#broker, {
      owner: this,
      send: (name, fields) => this.#send(number, name, fields),
      sendContent: (name, fields, { properties, body }) => {
        this.#send(number, name, fields);
        for (const bytes of encodeContent(number, properties, body, this.#frameMax)) this.#transport.write(bytes);
      },
      writable: () => this.#phase === 'running' && this.#transport.writable(),
    });
    this.#channels.set(number, channel);
    this.#send(number, 'channel.open-ok');
  }

  #connectionMethod({ name, fields, classId, methodId }: Method): void {
    if (name === 'connection.close') {
      this.#send(0, 'connection.close-ok');
      this.#phase = 'closing';
      this.#closeChannels();
      this.#transport.end();
    } else if (name === 'connection.start-ok' && this.#phase === 'start') {
      this.#logIn(fields);
    } else if (name === 'connection.tune-ok' && this.#phase === 'tune') {
      this.#frameMax = Math.min(Number(fields['frameMax']) || MAX_FRAME_BYTES, MAX_FRAME_BYTES);
      if (this.#frameMax < 4096) throw new AmqpError(530, `frame_max=${this.#frameMax} is smaller than 4096`);
      this.#channelMax = Math.min(Number(fields['channelMax']) || MAX_CHANNELS, MAX_CHANNELS);
      this.#transport.heartbeat(Number(fields['heartbeat']));
      this.#phase = 'open';
    } else if (name === 'connection.open' && this.#phase === 'open') {
      if (fields['vhost'] !== '/') throw new AmqpError(530, `vhost ${fields['vhost']} not found`);
      this.#phase = 'running';
      this.#send(0, 'connection.open-ok');
    } else if (name === undefined) {
      throw new AmqpError(540, `method ${classId}.${methodId} is not there in this embedded broker`);
    } else {
      throw new AmqpError(503, `unexpected method ${name}`);
    }
  }

  #logIn(fields: Fields): void {
    const refused = (text: string): AmqpError => new AmqpError(403, text);
    if (fields['mechanism'] !== 'PLAIN') throw refused(`mechanism ${fields['mechanism']} is not there, use PLAIN`);
    // RFC 4616: authorization identity, user and password, with a NUL between them.
    const [, user, password] = String(fields['response']).split('\0');
    if (user !== this.#credentials.user || password !== this.#credentials.password) {
      throw refused('Login was refused using authentication mechanism PLAIN. For details see the broker logfile.');
    }
    this.#phase = 'tune';
    this.#send(0, 'connection.tune', {
      channelMax: MAX_CHANNELS,
      frameMax: MAX_FRAME_BYTES,
      heartbeat: HEARTBEAT_SECONDS,
    });
  }
}
