// The head of a message, read in one pass over the bytes: offsets of its fields, and text only where asked for.
import { Fault, type MessageFault } from './fault.ts';
import { FIELD_COUNT, Field, fieldOf } from './fields.ts';
import { COLON, CR, FIELD_VALUE, LF, SPACE, TAB, TOKEN } from './grammar.ts';

/** What `MessageHead.read` answers instead of an end offset. */
export const INCOMPLETE = 0;
export const FAULTY = -1;

export interface HeadLimits {
  readonly maxBytes: number;
  readonly maxFields: number;
}

/** Offsets kept for each field: name start, name end, value start, value end; relative to the head's start. */
const SPANS = 4;
const INITIAL_FIELDS = 32;

/**
 * One per connection and used again for each message on it. `read` may be called again with more bytes of the same
 * head: it goes on at the line it could not finish, so a head that comes byte by byte costs no more than one that
 * comes whole. A fault found early and one found late are the same fault: lines are judged in order.
 */
export abstract class MessageHead {
  /** The head as text, one character a byte; set once the head is complete. */
  text = '';
  count = 0;
  fault: MessageFault | undefined = undefined;
  protected spans = new Int32Array(INITIAL_FIELDS * SPANS);
  protected kinds = new Uint8Array(INITIAL_FIELDS);
  /** Index of the first field of each kind, or -1. */
  protected readonly first = new Int16Array(FIELD_COUNT).fill(-1);
  /** How often each kind came. */
  protected readonly times = new Uint16Array(FIELD_COUNT);
  readonly #limits: HeadLimits;
  /** Where reading goes on, relative to the head's start; 0 before the start line. */
  #resume = 0;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /** Reads the start line at `start`; the offset after its CR LF, INCOMPLETE or FAULTY. */
  protected abstract readStartLine(bytes: Buffer, start: number, end: number): number;

  /** Judges the whole head once its last line is in. */
  protected abstract judge(): MessageFault | undefined;

  reset(): void {
    this.text = '';
    this.count = 0;
    this.fault = undefined;
    this.#resume = 0;
    // Loops, because a call of fill() costs more than all that it fills here.
    for (let kind = 0; kind < FIELD_COUNT; kind++) {
      this.first[kind] = -1;
      this.times[kind] = 0;
    }
  }

  /** The offset after the head, INCOMPLETE, or FAULTY with `fault` set. `start` is where this head begins in `bytes`. */
  read(bytes: Buffer, start: number, end: number): number {
    let position = start + this.#resume;
    if (this.#resume === 0) {
      position = this.readStartLine(bytes, start, end);
      if (position === INCOMPLETE) return this.#incomplete(end - start);
      if (position === FAULTY) return FAULTY;
    }
    for (;;) {
      this.#resume = position - start;
      if (this.#resume > this.#limits.maxBytes) return this.fail(Fault.headTooLarge);
      if (position >= end) return this.#incomplete(end - start);
      if (bytes[position] === CR) {
        if (position + 1 >= end) return this.#incomplete(end - start);
        if (bytes[position + 1] !== LF) return this.fail(Fault.lineEnd);
        position += 2;
        break;
      }
      position = this.#readField(bytes, start, position, end);
      if (position === INCOMPLETE) return this.#incomplete(end - start);
      if (position === FAULTY) return FAULTY;
    }
    if (position - start > this.#limits.maxBytes) return this.fail(Fault.headTooLarge);
    this.text = bytes.toString('latin1', start, position);
    this.fault = this.judge();
    return this.fault === undefined ? position : FAULTY;
  }

  /** Value of a field by its number, '' when absent; the first when repeated. */
  known(field: Field): string {
    const index = this.first[field]!;
    return index < 0 ? '' : this.valueAt(index);
  }

  has(field: Field): boolean {
    return this.first[field]! >= 0;
  }

  /** All values of a field, repeated ones joined by a comma (RFC 9110 §5.3); undefined when absent. */
  header(name: string): string | undefined {
    let result: string | undefined;
    for (let index = this.nextOf(name, 0); index >= 0; index = this.nextOf(name, index + 1)) {
      const value = this.valueAt(index);
      result = result === undefined ? value : `${result},${value}`;
    }
    return result;
  }

  /** Index of the next field called `name` (lower case) at or after `from`, or -1. */
  nextOf(name: string, from: number): number {
    const length = name.length;
    for (let index = from; index < this.count; index++) {
      const start = this.spans[index * SPANS]!;
      if (this.spans[index * SPANS + 1]! - start !== length) continue;
      if (this.text.slice(start, start + length).toLowerCase() === name) return index;
    }
    return -1;
  }

  kindAt(index: number): number {
    return this.kinds[index]!;
  }

  nameAt(index: number): string {
    return this.text.slice(this.spans[index * SPANS]!, this.spans[index * SPANS + 1]!);
  }

  valueAt(index: number): string {
    return this.text.slice(this.spans[index * SPANS + 2]!, this.spans[index * SPANS + 3]!);
  }

  /** Where a field's line starts; for `count`, where the last line ends. */
  lineStart(index: number): number {
    return index < this.count ? this.spans[index * SPANS]! : this.text.length - 2;
  }

  protected fail(fault: MessageFault): number {
    this.fault = fault;
    return FAULTY;
  }

  /** What is wrong beyond the limit does not matter: the answer is the same however the bytes were cut into packets. */
  #failAt(fault: MessageFault, offset: number): number {
    return this.fail(offset > this.#limits.maxBytes ? Fault.headTooLarge : fault);
  }

  /** A head that has run out of room is refused now rather than waited for. */
  #incomplete(length: number): number {
    return length > this.#limits.maxBytes ? this.fail(Fault.headTooLarge) : INCOMPLETE;
  }

  #readField(bytes: Buffer, start: number, lineStart: number, end: number): number {
    let position = lineStart;
    while (position < end && TOKEN[bytes[position]!] === 1) position++;
    if (position >= end) return INCOMPLETE;
    // Covers a blank before the colon and a folded line (RFC 9112 §5.1–5.2): neither blank is a token character.
    if (bytes[position] !== COLON || position === lineStart) return this.#failAt(Fault.fieldName, position - start);
    const nameEnd = position++;
    while (position < end && (bytes[position] === SPACE || bytes[position] === TAB)) position++;
    const valueStart = position;
    while (position < end && FIELD_VALUE[bytes[position]!] === 1) position++;
    if (position >= end) return INCOMPLETE;
    if (bytes[position] !== CR) {
      return this.#failAt(bytes[position] === LF ? Fault.lineEnd : Fault.fieldValue, position - start);
    }
    if (position + 1 >= end) return INCOMPLETE;
    if (bytes[position + 1] !== LF) return this.#failAt(Fault.lineEnd, position - start);
    let valueEnd = position;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SPACE || bytes[valueEnd - 1] === TAB)) valueEnd--;

    const index = this.count;
    if (index >= this.#limits.maxFields) return this.fail(Fault.tooManyFields);
    if (index === this.kinds.length) this.#grow();
    const kind = fieldOf(bytes, lineStart, nameEnd);
    const spans = this.spans;
    const at = index * SPANS;
    spans[at] = lineStart - start;
    spans[at + 1] = nameEnd - start;
    spans[at + 2] = valueStart - start;
    spans[at + 3] = valueEnd - start;
    this.kinds[index] = kind;
    if (kind !== Field.OTHER) {
      if (this.first[kind]! < 0) this.first[kind] = index;
      this.times[kind]!++;
    }
    this.count = index + 1;
    return position + 2;
  }

  #grow(): void {
    const spans = new Int32Array(this.spans.length * 2);
    spans.set(this.spans);
    this.spans = spans;
    const kinds = new Uint8Array(this.kinds.length * 2);
    kinds.set(this.kinds);
    this.kinds = kinds;
  }
}

/** The elements of a comma-separated field, over all its lines, lower case and without blanks. */
export function listElements(head: MessageHead, name: string): string[] {
  const value = head.header(name);
  if (value === undefined) return [];
  return value
    .toLowerCase()
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
}
