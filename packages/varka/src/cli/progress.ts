// Shows the steps of starting and stopping: finished steps stay, the one under way is a line that keeps changing on a
// terminal and is left out elsewhere, where each finished step is a plain line.
import { renderProblem } from '../errors.ts';
import type { ProgressEvent } from '../protocol.ts';
import { type Style, styleFor } from './style.ts';

const CLEAR_LINE = '\r\u001b[2K';

export function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export class ProgressView {
  readonly #out: NodeJS.WriteStream;
  readonly #style: Style;
  readonly #active = new Map<string, string>();

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
    this.#style = styleFor(out);
  }

  show(event: ProgressEvent): void {
    if (event.kind === 'begin' || event.kind === 'update') {
      this.#active.delete(event.step); // the latest is shown
      this.#active.set(event.step, event.label);
      this.#drawActive();
      return;
    }
    if (event.kind === 'done' || event.kind === 'failed') this.#active.delete(event.step);
    this.#line(this.#text(event));
  }

  #text(event: Exclude<ProgressEvent, { kind: 'begin' | 'update' }>): string {
    const { good, bad, warn, dim } = this.#style;
    switch (event.kind) {
      case 'done':
        return `${good('✓')} ${event.label} ${dim(seconds(event.ms))}`;
      case 'failed':
        return `${bad('✗')} ${event.label}`;
      case 'note':
        return `${warn('·')} ${event.label}`;
      case 'problem':
        return renderProblem(event.problem, bad).trimEnd();
    }
  }

  /** Takes the changing line off, so that something else can be printed. */
  clear(): void {
    if (this.#out.isTTY) this.#out.write(CLEAR_LINE);
  }

  #line(text: string): void {
    this.clear();
    this.#out.write(`${text}\n`);
    this.#drawActive();
  }

  #drawActive(): void {
    if (!this.#out.isTTY) return;
    const latest = [...this.#active.values()].at(-1);
    const text = latest === undefined ? '' : this.#style.dim(`… ${latest}`.slice(0, (this.#out.columns || 80) - 1));
    this.#out.write(CLEAR_LINE + text);
  }
}
