// Times the steps of starting and tells them to whoever watches.
import type { ProgressEvent } from '../protocol.ts';

export class StepReporter {
  readonly #report: (event: ProgressEvent) => void;

  constructor(report: (event: ProgressEvent) => void) {
    this.#report = report;
  }

  /** Runs a step. `update` changes its line while it runs; the label at the end is the one that stays. */
  async run<T>(step: string, label: string, action: (update: (label: string) => void) => Promise<T> | T): Promise<T> {
    const begin = performance.now();
    let current = label;
    this.#report({ kind: 'begin', step, label });
    try {
      const result = await action((changed) => {
        if (changed === current) return;
        current = changed;
        this.#report({ kind: 'update', step, label: changed });
      });
      this.#report({ kind: 'done', step, label: current, ms: performance.now() - begin });
      return result;
    } catch (error) {
      this.#report({ kind: 'failed', step, label: current });
      throw error;
    }
  }

  note(label: string): void {
    this.#report({ kind: 'note', label });
  }
}
