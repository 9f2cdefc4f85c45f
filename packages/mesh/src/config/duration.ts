// Durations as Istio's objects write them: `5s`, `1h30m`, `250ms` [Go time.ParseDuration; CRD format "1h/1m/1s/1ms"].

const UNIT_NANOS: Readonly<Record<string, number>> = { h: 3_600e9, m: 60e9, s: 1e9, ms: 1e6, us: 1e3, µs: 1e3, ns: 1 };
const PART = /(\d+(?:\.\d*)?|\.\d+)(h|ms|m|us|µs|ns|s)/g;

export interface Duration {
  readonly seconds: bigint;
  readonly nanos: number;
}

/** undefined when the text is no duration; negative ones are none. */
export function parseDuration(text: string): Duration | undefined {
  if (text === '0') return { seconds: 0n, nanos: 0 };
  let nanos = 0;
  let consumed = 0;
  for (const match of text.matchAll(PART)) {
    if (match.index !== consumed) return undefined;
    consumed += match[0].length;
    nanos += Number(match[1]) * UNIT_NANOS[match[2]!]!;
  }
  if (consumed === 0 || consumed !== text.length) return undefined;
  const whole = Math.round(nanos);
  return { seconds: BigInt(Math.floor(whole / 1e9)), nanos: whole % 1e9 };
}
