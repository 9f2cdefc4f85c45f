// Reads Kubernetes' protobuf: `kubectl create namespace` and its like send nothing else since kubectl 1.32.
import { StatusError } from '../status-error.ts';
import type { Field, Message } from './protobuf-fields.ts';
import { MESSAGES } from './protobuf-messages.ts';

export const PROTOBUF = 'application/vnd.kubernetes.protobuf';

/** "k8s" and a zero: what every such body begins with (apimachinery serializer/protobuf). */
const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0x00]);
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The object that the body holds, as its JSON would be. */
export function decodeProtobuf(bytes: Buffer): Record<string, unknown> {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw StatusError.badRequest('the request body is not Kubernetes protobuf: it does not begin with "k8s"');
  }
  try {
    const envelope = readMessage(bytes.subarray(MAGIC.length), MESSAGES.Unknown, 'Unknown');
    const { apiVersion, kind } = envelope['typeMeta'] as Record<string, string>;
    // Delete options come under the version of whatever is deleted.
    const name = kind === 'DeleteOptions' ? kind : `${apiVersion}.${kind}`;
    const message = Object.hasOwn(MESSAGES, name) ? MESSAGES[name as keyof typeof MESSAGES] : undefined;
    if (message === undefined) throw unsupported(`${kind} of ${apiVersion} cannot be read as protobuf`);
    return { apiVersion, kind, ...readMessage(envelope['raw'] as Buffer, message, kind ?? '') };
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw StatusError.badRequest(
      `the request body is not proper protobuf: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function unsupported(what: string): StatusError {
  return StatusError.unsupportedMediaType(
    `${what} here - accepted media types include: application/json, application/yaml (with kubectl: write a manifest and use kubectl apply)`,
  );
}

function readMessage(bytes: Buffer, message: Message, path: string): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const { number, value } = reader.next();
    const field = message[number];
    if (field === undefined) throw unsupported(`field ${number} of ${path} cannot be read as protobuf`);
    if (field.type === 'left out') continue;
    const { name, repeated } = field;
    const read = readField(field, value, `${path}.${name}`);
    if (field.type === 'message' && field.inline === true) Object.assign(result, read);
    else if (field.type === 'map') result[name] = { ...(result[name] as object), ...(read as object) };
    else if (repeated === true) result[name] = [...((result[name] as unknown[]) ?? []), read];
    // Go writes the zero of every plain field; in JSON such fields are left out.
    else if (field.pointer === true || !isZero(read)) result[name] = read;
  }
  return result;
}

const isZero = (value: unknown): boolean => value === undefined || value === '' || value === 0 || value === false;

type WireValue = bigint | Buffer;

function readField(field: Exclude<Field, { type: 'left out' }>, value: WireValue, path: string): unknown {
  switch (field.type) {
    case 'string':
      return UTF8.decode(asBytes(value, path));
    case 'base64':
      return asBytes(value, path).toString('base64');
    case 'bytes':
      return asBytes(value, path);
    case 'bool':
      return asNumber(value, path) !== 0;
    case 'int':
      return asNumber(value, path);
    case 'time': {
      const { seconds } = readMessage(asBytes(value, path), MESSAGES.Time, path);
      return typeof seconds === 'number' ? `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z` : undefined;
    }
    case 'intOrString': {
      const { type, int, text } = readMessage(asBytes(value, path), MESSAGES.IntOrString, path);
      return type === 1 ? (text ?? '') : (int ?? 0);
    }
    case 'quantity':
      return readMessage(asBytes(value, path), MESSAGES.Quantity, path)['text'] ?? '0';
    case 'map': {
      const entry = readMessage(
        asBytes(value, path),
        { 1: { name: 'key', type: 'string' }, 2: { name: 'value', ...field.values } },
        path,
      );
      return { [String(entry['key'] ?? '')]: entry['value'] ?? '' };
    }
    case 'message':
      return readMessage(asBytes(value, path), field.message(), path);
  }
}

function asBytes(value: WireValue, path: string): Buffer {
  if (typeof value === 'bigint') throw new Error(`${path} is a number`);
  return value;
}

function asNumber(value: WireValue, path: string): number {
  if (typeof value !== 'bigint') throw new Error(`${path} is not a number`);
  return Number(BigInt.asIntN(64, value));
}

/** The protobuf wire format: tags, varints and lengths. */
class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  next(): { number: number; value: WireValue } {
    const tag = Number(this.#varint());
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        return { number, value: this.#varint() };
      case 2:
        return { number, value: this.#take(Number(this.#varint())) };
      default:
        throw new Error(`wire type ${tag % 8} is not used by Kubernetes`);
    }
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new Error('it is cut short');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error('a number is too long');
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Error('it is cut short');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
