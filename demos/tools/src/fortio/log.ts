// Log lines on standard error: JSON where that is no terminal, as fortio's.

const LEVELS = ['Debug', 'Verbose', 'Info', 'Warning', 'Error', 'Critical', 'Fatal'] as const;
export type LevelName = (typeof LEVELS)[number];

const SHORT: Readonly<Record<LevelName, string>> = {
  Debug: 'dbug',
  Verbose: 'trace',
  Info: 'info',
  Warning: 'warn',
  Error: 'err',
  Critical: 'crit',
  Fatal: 'fatal',
};

export class Log {
  #level: LevelName = 'Info';

  /** Answers false when there is no such level. Case does not matter. */
  setLevel(name: string): boolean {
    const level = LEVELS.find((one) => one.toLowerCase() === name.toLowerCase());
    if (level === undefined) return false;
    this.#level = level;
    return true;
  }

  info(message: string, attributes: Readonly<Record<string, unknown>> = {}): void {
    this.#write('Info', message, attributes);
  }

  warning(message: string, attributes: Readonly<Record<string, unknown>> = {}): void {
    this.#write('Warning', message, attributes);
  }

  error(message: string, attributes: Readonly<Record<string, unknown>> = {}): void {
    this.#write('Error', message, attributes);
  }

  #write(level: LevelName, message: string, attributes: Readonly<Record<string, unknown>>): void {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(this.#level)) return;
    if (process.stderr.isTTY) {
      const time = new Date().toISOString().slice(11, 23);
      const rest = Object.entries(attributes).map(([name, value]) => `, ${name}=${JSON.stringify(value)}`);
      process.stderr.write(`${time} [${SHORT[level].slice(0, 3).toUpperCase()}] ${message}${rest.join('')}\n`);
    } else {
      const line = { ts: Date.now() / 1000, level: SHORT[level], msg: message, ...attributes };
      process.stderr.write(`${JSON.stringify(line)}\n`);
    }
  }
}
