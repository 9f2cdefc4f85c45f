// The methods of AMQP 0-9-1 (with RabbitMQ's confirm class and basic.nack), and their arguments as bytes.
import { ByteReader, ByteWriter } from './bytes.ts';

type FieldType = 'octet' | 'short' | 'long' | 'longlong' | 'shortstr' | 'longstr' | 'bit' | 'table';
/** A table stays bytes: what a client puts in one is mostly for another client. */
export type FieldValue = number | bigint | string | boolean | Buffer;
export type Fields = Readonly<Record<string, FieldValue>>;

/** amqp0-9-1.xml: class and method number, arguments in order, `name:type`. */
const METHODS = {
  'connection.start': [10, 10, 'major:octet minor:octet properties:table mechanisms:longstr locales:longstr'],
  'connection.start-ok': [10, 11, 'properties:table mechanism:shortstr response:longstr locale:shortstr'],
  'connection.tune': [10, 30, 'channelMax:short frameMax:long heartbeat:short'],
  'connection.tune-ok': [10, 31, 'channelMax:short frameMax:long heartbeat:short'],
  'connection.open': [10, 40, 'vhost:shortstr reserved1:shortstr reserved2:bit'],
  'connection.open-ok': [10, 41, 'reserved1:shortstr'],
  'connection.close': [10, 50, 'code:short text:shortstr classId:short methodId:short'],
  'connection.close-ok': [10, 51, ''],
  'channel.open': [20, 10, 'reserved1:shortstr'],
  'channel.open-ok': [20, 11, 'reserved1:longstr'],
  'channel.flow': [20, 20, 'active:bit'],
  'channel.flow-ok': [20, 21, 'active:bit'],
  'channel.close': [20, 40, 'code:short text:shortstr classId:short methodId:short'],
  'channel.close-ok': [20, 41, ''],
  'exchange.declare': [
    40,
    10,
    'ticket:short exchange:shortstr type:shortstr passive:bit durable:bit autoDelete:bit internal:bit nowait:bit arguments:table',
  ],
  'exchange.declare-ok': [40, 11, ''],
  'exchange.delete': [40, 20, 'ticket:short exchange:shortstr ifUnused:bit nowait:bit'],
  'exchange.delete-ok': [40, 21, ''],
  'queue.declare': [
    50,
    10,
    'ticket:short queue:shortstr passive:bit durable:bit exclusive:bit autoDelete:bit nowait:bit arguments:table',
  ],
  'queue.declare-ok': [50, 11, 'queue:shortstr messages:long consumers:long'],
  'queue.bind': [50, 20, 'ticket:short queue:shortstr exchange:shortstr key:shortstr nowait:bit arguments:table'],
  'queue.bind-ok': [50, 21, ''],
  'queue.purge': [50, 30, 'ticket:short queue:shortstr nowait:bit'],
  'queue.purge-ok': [50, 31, 'messages:long'],
  'queue.delete': [50, 40, 'ticket:short queue:shortstr ifUnused:bit ifEmpty:bit nowait:bit'],
  'queue.delete-ok': [50, 41, 'messages:long'],
  'queue.unbind': [50, 50, 'ticket:short queue:shortstr exchange:shortstr key:shortstr arguments:table'],
  'queue.unbind-ok': [50, 51, ''],
  'basic.qos': [60, 10, 'size:long count:short global:bit'],
  'basic.qos-ok': [60, 11, ''],
  'basic.consume': [
    60,
    20,
    'ticket:short queue:shortstr tag:shortstr noLocal:bit noAck:bit exclusive:bit nowait:bit arguments:table',
  ],
  'basic.consume-ok': [60, 21, 'tag:shortstr'],
  'basic.cancel': [60, 30, 'tag:shortstr nowait:bit'],
  'basic.cancel-ok': [60, 31, 'tag:shortstr'],
  'basic.publish': [60, 40, 'ticket:short exchange:shortstr key:shortstr mandatory:bit immediate:bit'],
  'basic.return': [60, 50, 'code:short text:shortstr exchange:shortstr key:shortstr'],
  'basic.deliver': [60, 60, 'tag:shortstr deliveryTag:longlong redelivered:bit exchange:shortstr key:shortstr'],
  'basic.get': [60, 70, 'ticket:short queue:shortstr noAck:bit'],
  'basic.get-ok': [60, 71, 'deliveryTag:longlong redelivered:bit exchange:shortstr key:shortstr messages:long'],
  'basic.get-empty': [60, 72, 'reserved1:shortstr'],
  'basic.ack': [60, 80, 'deliveryTag:longlong multiple:bit'],
  'basic.reject': [60, 90, 'deliveryTag:longlong requeue:bit'],
  'basic.recover': [60, 110, 'requeue:bit'],
  'basic.recover-ok': [60, 111, ''],
  'basic.nack': [60, 120, 'deliveryTag:longlong multiple:bit requeue:bit'],
  'confirm.select': [85, 10, 'nowait:bit'],
  'confirm.select-ok': [85, 11, ''],
} as const satisfies Readonly<Record<string, readonly [number, number, string]>>;

export type MethodName = keyof typeof METHODS;

interface Shape {
  readonly name: MethodName;
  readonly classId: number;
  readonly methodId: number;
  readonly fields: readonly (readonly [string, FieldType])[];
}

const BY_NAME = new Map<MethodName, Shape>();
const BY_NUMBER = new Map<number, Shape>();
for (const [name, [classId, methodId, fields]] of Object.entries(METHODS)) {
  const shape: Shape = {
    name: name as MethodName,
    classId,
    methodId,
    fields: fields === '' ? [] : fields.split(' ').map((field) => field.split(':') as [string, FieldType]),
  };
  BY_NAME.set(shape.name, shape);
  BY_NUMBER.set((classId << 16) | methodId, shape);
}

export interface Method {
  readonly classId: number;
  readonly methodId: number;
  /** Undefined: there is no such method here. */
  readonly name: MethodName | undefined;
  readonly fields: Fields;
}

export function decodeMethod(payload: Buffer): Method {
  const reader = new ByteReader(payload);
  const classId = reader.uint(2);
  const methodId = reader.uint(2);
  const shape = BY_NUMBER.get((classId << 16) | methodId);
  if (shape === undefined) return { classId, methodId, name: undefined, fields: {} };
  const fields: Record<string, FieldValue> = {};
  for (const [name, type] of shape.fields) fields[name] = readField(reader, type);
  return { classId, methodId, name: shape.name, fields };
}

/** Fields left out are zero, empty or false. */
export function encodeMethod(name: MethodName, fields: Fields = {}): Buffer {
  const shape = BY_NAME.get(name) as Shape;
  const writer = new ByteWriter();
  writer.uint(shape.classId, 2);
  writer.uint(shape.methodId, 2);
  for (const [field, type] of shape.fields) writeField(writer, type, fields[field]);
  return writer.bytes();
}

function readField(reader: ByteReader, type: FieldType): FieldValue {
  switch (type) {
    case 'octet':
      return reader.uint(1);
    case 'short':
      return reader.uint(2);
    case 'long':
      return reader.uint(4);
    case 'longlong':
      return reader.longlong();
    case 'shortstr':
      return reader.shortstr();
    case 'longstr':
      return reader.longstr().toString('utf8');
    case 'bit':
      return reader.bit();
    case 'table':
      return reader.longstr();
  }
}

function writeField(writer: ByteWriter, type: FieldType, value: FieldValue | undefined): void {
  switch (type) {
    case 'octet':
      writer.uint(Number(value ?? 0), 1);
      return;
    case 'short':
      writer.uint(Number(value ?? 0), 2);
      return;
    case 'long':
      writer.uint(Number(value ?? 0), 4);
      return;
    case 'longlong':
      writer.longlong(BigInt((value as bigint | undefined) ?? 0n));
      return;
    case 'shortstr':
      writer.shortstr(String(value ?? ''));
      return;
    case 'longstr':
      writer.longstr(Buffer.from(String(value ?? ''), 'utf8'));
      return;
    case 'bit':
      writer.bit(value === true);
      return;
    case 'table':
      writer.longstr(Buffer.isBuffer(value) ? value : Buffer.alloc(0));
      return;
  }
}
