// gRPC's message framing (PROTOCOL-HTTP2.md "Length-Prefixed-Message"): one flag byte, four length bytes, the message.

const HEAD = 5;

export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(HEAD + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, HEAD);
  return framed;
}

/** Cuts a byte stream into messages. Throws on a message that is compressed or longer than the limit. */
export class FrameReader {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #buffered = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The messages that `chunk` completes, in order. */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    const messages: Buffer[] = [];
    while (this.#buffered >= HEAD) {
      const head = this.#peek();
      if (head[0] !== 0) throw new Error('compressed gRPC message, though none was offered (grpc-accept-encoding)');
      const length = head.readUInt32BE(1);
      if (length > this.#maxBytes)
        throw new Error(`gRPC message of ${length} bytes is over the limit of ${this.#maxBytes}`);
      if (this.#buffered < HEAD + length) break;
      const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
      messages.push(bytes.subarray(HEAD, HEAD + length));
      const rest = bytes.subarray(HEAD + length);
      this.#chunks = rest.length === 0 ? [] : [rest];
      this.#buffered = rest.length;
    }
    return messages;
  }

  /** A buffer that holds at least the head; joins chunks only when the head itself is cut. */
  #peek(): Buffer {
    const first = this.#chunks[0]!;
    if (first.length >= HEAD) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
