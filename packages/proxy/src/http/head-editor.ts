// Writes a head out again: lines that did not change as they came, in one slice a run; dropped ones left out; new ones after.
import type { HeaderEdit } from '@varka/decide/header-edits.ts';
import { type Field, isCodecField } from './fields.ts';
import { toFieldValue } from './grammar.ts';
import type { MessageHead } from './message-head.ts';

/** Used for one head at a time, from `begin` to `render`; rendering is synchronous, so one editor serves everybody. */
export class HeadEditor {
  #head: MessageHead | undefined;
  #dropped = new Uint8Array(128);
  readonly #names: string[] = [];
  readonly #values: string[] = [];

  /** Starts on a head, or on none: a message of our own. */
  begin(head: MessageHead | undefined): void {
    this.#head = head;
    this.#names.length = 0;
    this.#values.length = 0;
    const count = head?.count ?? 0;
    if (count > this.#dropped.length) this.#dropped = new Uint8Array(count * 2);
    else this.#dropped.fill(0, 0, count);
  }

  dropAt(index: number): void {
    this.#dropped[index] = 1;
  }

  dropKind(field: Field): void {
    const head = this.#head;
    if (head === undefined || !head.has(field)) return;
    for (let index = 0; index < head.count; index++) if (head.kindAt(index) === field) this.#dropped[index] = 1;
  }

  /** `name` in lower case. */
  remove(name: string): void {
    const head = this.#head;
    if (head !== undefined) {
      for (let index = head.nextOf(name, 0); index >= 0; index = head.nextOf(name, index + 1)) this.#dropped[index] = 1;
    }
    for (let at = this.#names.length - 1; at >= 0; at--) {
      if (this.#names[at] !== name) continue;
      this.#names.splice(at, 1);
      this.#values.splice(at, 1);
    }
  }

  append(name: string, value: string): void {
    this.#names.push(name);
    this.#values.push(value);
  }

  set(name: string, value: string): void {
    this.remove(name);
    this.append(name, value);
  }

  has(name: string): boolean {
    const head = this.#head;
    if (head !== undefined) {
      for (let index = head.nextOf(name, 0); index >= 0; index = head.nextOf(name, index + 1)) {
        if (this.#dropped[index] === 0) return true;
      }
    }
    return this.#names.includes(name);
  }

  /** Configured edits, in their order. Those of framing fields are left out: only the codec says where a message ends. */
  apply(edits: readonly HeaderEdit[]): void {
    for (const edit of edits) {
      const name = edit.name.toLowerCase();
      if (isCodecField(name)) continue;
      if (edit.op === 'remove') {
        this.remove(name);
        continue;
      }
      const value = toFieldValue(edit.value);
      if (value === undefined) continue;
      if (edit.op === 'set') this.set(name, value);
      else if (edit.op === 'append' || !this.has(name)) this.append(name, value);
    }
  }

  render(startLine: string): string {
    let out = startLine;
    const head = this.#head;
    if (head !== undefined) {
      const text = head.text;
      const count = head.count;
      let index = 0;
      while (index < count) {
        while (index < count && this.#dropped[index] === 1) index++;
        const from = index;
        while (index < count && this.#dropped[index] === 0) index++;
        if (index > from) out += text.slice(head.lineStart(from), head.lineStart(index));
      }
    }
    for (let at = 0; at < this.#names.length; at++) out += `${this.#names[at]}: ${this.#values[at]}\r\n`;
    return `${out}\r\n`;
  }
}

/** What a field reads after edits, for the access log. */
export function valueAfter(
  head: MessageHead | undefined,
  edits: readonly HeaderEdit[],
  name: string,
): string | undefined {
  let value = head?.header(name);
  for (const edit of edits) {
    if (edit.name.toLowerCase() !== name || isCodecField(name)) continue;
    if (edit.op === 'remove') value = undefined;
    else if (edit.op === 'set' || value === undefined) value = edit.value;
    else if (edit.op === 'append') value = `${value},${edit.value}`;
  }
  return value;
}
