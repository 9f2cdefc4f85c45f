// What a service says of a connection that it tries again and again: each change once, not every try.

export class ConnectionLog {
  readonly #name: string;
  #last = '';

  constructor(name: string) {
    this.#name = name;
  }

  connected(): void {
    this.#say(console.log, `connected to ${this.#name}`);
  }

  failed(error: unknown): void {
    this.#say(console.error, `${this.#name} is away: ${reasonOf(error)}`);
  }

  #say(print: (line: string) => void, line: string): void {
    if (line === this.#last) return;
    this.#last = line;
    print(line);
  }
}

/** An error that is several (one for each address that was tried) has no message of its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
