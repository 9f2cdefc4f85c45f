// The log of a program: a line on the console, and the same event to the log server.
import { send } from '@varka/demo-kit/call.ts';
import { addressOf } from './addresses.ts';

type Level = 'Information' | 'Warning' | 'Error';
/** Values for the `{Names}` in a message template. */
export type Properties = Readonly<Record<string, string | number>>;

const SHORT: Readonly<Record<Level, string>> = { Information: 'INF', Warning: 'WRN', Error: 'ERR' };
const SEND_EVERY_MS = 1_000;
const MAX_WAITING = 500;
const TIMEOUT_MS = 5_000;

/**
 * Message templates as of messagetemplates.org: the console shows `[14:02:11 INF] Customer 17 registered`, the log server
 * gets the template and the values apart, in CLEF. While the log server is away the newest events wait for it.
 */
export class Log {
  readonly #application: string;
  readonly #server = addressOf('logserver', 5341);
  #waiting: string[] = [];
  #sending = false;

  constructor(application: string) {
    this.#application = application;
    setInterval(() => void this.#send(), SEND_EVERY_MS).unref();
  }

  information(template: string, properties: Properties = {}): void {
    this.#write('Information', template, properties);
  }

  warning(template: string, properties: Properties = {}): void {
    this.#write('Warning', template, properties);
  }

  /** `error` is told in the message's end, with its stack in the event. */
  error(template: string, error: unknown, properties: Properties = {}): void {
    this.#write('Error', `${template}: {Problem}`, { ...properties, Problem: messageOf(error) }, error);
  }

  #write(level: Level, template: string, properties: Properties, error?: unknown): void {
    const now = new Date();
    console.log(`[${now.toTimeString().slice(0, 8)} ${SHORT[level]}] ${render(template, properties)}`);
    this.#waiting.push(
      JSON.stringify({
        '@t': now.toISOString(),
        '@mt': template,
        ...(level === 'Information' ? {} : { '@l': level }),
        ...(error instanceof Error ? { '@x': error.stack } : {}),
        ...properties,
        Application: this.#application,
      }),
    );
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
  }

  async #send(): Promise<void> {
    if (this.#sending || this.#waiting.length === 0) return;
    this.#sending = true;
    const batch = this.#waiting;
    this.#waiting = [];
    try {
      const { status } = await send(`http://${this.#server.host}:${this.#server.port}/api/events/raw?clef`, {
        method: 'POST',
        headers: { 'content-type': 'application/vnd.serilog.clef' },
        body: `${batch.join('\n')}\n`,
        timeoutMs: TIMEOUT_MS,
      });
      if (status >= 500) throw new Error(`status ${status}`);
    } catch {
      // The console has them; saying so there again for each batch would drown what it says.
      this.#waiting = [...batch, ...this.#waiting].slice(-MAX_WAITING);
    } finally {
      this.#sending = false;
    }
  }
}

/** The template with its `{Names}` replaced. */
export function render(template: string, properties: Readonly<Record<string, unknown>>): string {
  return template.replace(/\{@?(\w+)(?::[^}]*)?\}/g, (whole, name: string) => {
    const value = properties[name];
    if (value === undefined) return whole;
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  });
}

export function messageOf(error: unknown): string {
  // What fails on every address of a name (::1 and 127.0.0.1) comes as one error without a message of its own.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
