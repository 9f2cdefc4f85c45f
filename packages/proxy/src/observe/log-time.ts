// %START_TIME% and its formats: strftime's letters, with %3f, %6f, %9f and %f for parts of a second (Envoy: START_TIME).

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}

const LETTERS: Readonly<Record<string, (time: Date) => string>> = {
  Y: (time) => pad(time.getUTCFullYear(), 4),
  m: (time) => pad(time.getUTCMonth() + 1, 2),
  d: (time) => pad(time.getUTCDate(), 2),
  H: (time) => pad(time.getUTCHours(), 2),
  M: (time) => pad(time.getUTCMinutes(), 2),
  S: (time) => pad(time.getUTCSeconds(), 2),
  F: (time) => time.toISOString().slice(0, 10),
  T: (time) => time.toISOString().slice(11, 19),
  s: (time) => String(Math.floor(time.getTime() / 1000)),
  f: (time) => pad(time.getUTCMilliseconds(), 3).padEnd(9, '0'),
  z: () => '+0000',
  Z: () => 'UTC',
  '%': () => '%',
};

/** Throws an Error that names a letter it does not know. The default is ISO 8601 with milliseconds. */
export function compileTime(format: string | undefined): (time: number) => string {
  if (format === undefined || format === '') return isoTime();
  const parts = [...format.matchAll(/%([1-9])?(.)|[^%]+/g)].map(([text, digits, letter]) => {
    if (letter === undefined) return text;
    const render = LETTERS[letter];
    if (render === undefined) throw new Error(`access log format: %START_TIME% does not know %${letter}`);
    return digits === undefined ? render : (time: Date) => render(time).slice(0, Number(digits));
  });
  return (time) => {
    const date = new Date(time);
    return parts.map((part) => (typeof part === 'string' ? part : part(date))).join('');
  };
}

/** Only the milliseconds differ between most lines, so the rest is made once a second. */
function isoTime(): (time: number) => string {
  let second = -1;
  let prefix = '';
  return (time) => {
    const current = Math.floor(time / 1000);
    if (current !== second) {
      second = current;
      prefix = new Date(current * 1000).toISOString().slice(0, 20);
    }
    return `${prefix}${pad(time - current * 1000, 3)}Z`;
  };
}
