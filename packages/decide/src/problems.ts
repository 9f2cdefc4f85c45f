// Collects what is wrong with a resource as path-prefixed sentences; nothing throws, so one look shows every mistake.

export class Problems {
  readonly #path: string;
  readonly #list: string[];

  constructor(path = '', list: string[] = []) {
    this.#path = path;
    this.#list = list;
  }

  get list(): readonly string[] {
    return this.#list;
  }

  /** The same collection, one step further down: at('match') below `routes[0]` writes `routes[0].match: …`. */
  at(step: string): Problems {
    return new Problems(this.#path === '' ? step : `${this.#path}.${step}`, this.#list);
  }

  add(sentence: string): void {
    this.#list.push(this.#path === '' ? sentence : `${this.#path}: ${sentence}`);
  }

  /** For fields Varka does not carry out: refused rather than ignored, so that a rule never silently does nothing. */
  unsupported(field: string, present: boolean): void {
    if (present) this.add(`${field} is not supported`);
  }
}
