// Log events as Serilog's sinks send them, the newest few thousand, and what a filter finds among them.
import { render } from '../shared/log.ts';

const MAX_EVENTS = 5_000;
const LEVELS: readonly string[] = ['Verbose', 'Debug', 'Information', 'Warning', 'Error', 'Fatal'];

export interface LogEvent {
  /** ISO timestamp. */
  readonly time: string;
  readonly level: string;
  readonly message: string;
  readonly exception?: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

export interface LogFilter {
  /** In the message, the exception or a property, in any case. */
  readonly text: string;
  /** This level and those above; all when empty or unknown. */
  readonly level: string;
  readonly count: number;
}

export class LogStore {
  readonly #events: LogEvent[] = [];

  add(events: readonly LogEvent[]): void {
    this.#events.push(...events);
    if (this.#events.length > MAX_EVENTS) this.#events.splice(0, this.#events.length - MAX_EVENTS);
  }

  /** Newest first. */
  find({ text, level, count }: LogFilter): LogEvent[] {
    const needle = text.toLowerCase();
    const from = LEVELS.indexOf(level);
    const found: LogEvent[] = [];
    for (let at = this.#events.length - 1; at >= 0 && found.length < count; at--) {
      const event = this.#events[at] as LogEvent;
      if (from > 0 && LEVELS.indexOf(event.level) < from) continue;
      if (needle !== '' && !JSON.stringify(event).toLowerCase().includes(needle)) continue;
      found.push(event);
    }
    return found;
  }
}

/**
 * The events in a posted body: CLEF, one JSON object a line (clef-json.org), or the older `{"Events": […]}`.
 * Throws a SyntaxError that says which line is at fault; then none is taken.
 */
export function parseEvents(body: string, clef: boolean): LogEvent[] {
  if (!clef) {
    const posted: unknown = JSON.parse(body);
    const events = typeof posted === 'object' && posted !== null && 'Events' in posted ? posted.Events : undefined;
    if (!Array.isArray(events)) throw new SyntaxError('the body has no array Events');
    return events.map((event, index) => rawEvent(objectAt(event, index)));
  }
  return body.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    let event: unknown;
    try {
      event = JSON.parse(line);
    } catch (error) {
      throw new SyntaxError(`event ${index + 1}: ${error instanceof Error ? error.message : error}`);
    }
    return [clefEvent(objectAt(event, index))];
  });
}

function objectAt(event: unknown, index: number): Record<string, unknown> {
  if (typeof event === 'object' && event !== null && !Array.isArray(event)) return event as Record<string, unknown>;
  throw new SyntaxError(`event ${index + 1} is no JSON object`);
}

/** `@t` time, `@m` message or `@mt` template, `@l` level, `@x` exception; other names are properties, `@@x` is `@x`. */
function clefEvent(event: Record<string, unknown>): LogEvent {
  const properties: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(event)) {
    if (name.startsWith('@@')) properties[name.slice(1)] = value;
    else if (!name.startsWith('@')) properties[name] = value;
  }
  const message = event['@m'] ?? (event['@mt'] === undefined ? '' : render(String(event['@mt']), properties));
  return eventOf(event['@t'], event['@l'], String(message), event['@x'], properties);
}

function rawEvent(event: Record<string, unknown>): LogEvent {
  const given = event['Properties'];
  const properties = typeof given === 'object' && given !== null ? (given as Record<string, unknown>) : {};
  const message = render(String(event['MessageTemplate'] ?? ''), properties);
  return eventOf(event['Timestamp'], event['Level'], message, event['Exception'], properties);
}

function eventOf(
  time: unknown,
  level: unknown,
  message: string,
  exception: unknown,
  properties: Readonly<Record<string, unknown>>,
): LogEvent {
  const given = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return {
    time: new Date(Number.isNaN(given) ? Date.now() : given).toISOString(),
    level: typeof level === 'string' ? level : 'Information',
    message,
    ...(exception === undefined ? {} : { exception: String(exception) }),
    properties,
  };
}
