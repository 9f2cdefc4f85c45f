// The proxy's own log, in Envoy's form: [time][process][level][component] text, on standard error.

export const LEVELS = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'] as const;
export type Level = (typeof LEVELS)[number];

export class Logger {
  readonly #write: (line: string) => void;
  level: Level;

  constructor(level: Level, write: (line: string) => void) {
    this.level = level;
    this.#write = write;
  }

  log(level: Exclude<Level, 'off'>, component: string, text: string): void {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(this.level)) return;
    const time = new Date().toISOString().replace('T', ' ').slice(0, -1);
    // A text with line breaks would look like several entries.
    this.#write(`[${time}][${process.pid}][${level}][${component}] ${text.replace(/\s*\n\s*/g, ' | ')}\n`);
  }
}
