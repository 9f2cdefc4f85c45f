// When the calls of a run are made: how many each thread makes, and how long it sleeps between them.

export interface Pace {
  /** Calls a second of all threads; 0: as fast as it goes. */
  readonly qps: number;
  readonly threads: number;
  /** 0: until stopped. Not looked at with `exactly`. */
  readonly durationMs: number;
  /** Of all threads; 0: by time. */
  readonly exactly: number;
}

export interface Plan {
  readonly threads: number;
  /** Of each thread; undefined: until the time is up. */
  readonly callsPerThread: number | undefined;
  /** What the first thread makes on top, to reach exactly the number asked for. */
  readonly leftOver: number;
  readonly warnings: readonly string[];
}

export function planOf({ qps, threads, durationMs, exactly }: Pace): Plan {
  const warnings: string[] = [];
  let used = threads;
  if (exactly > 0 && exactly < threads) {
    used = exactly;
    warnings.push(`Lowering number of threads - total call ${exactly} -> lowering from ${threads} to ${used} threads`);
  }
  const atLeastTwo = (calls: number): number => {
    if (qps === 0 || calls >= 2) return calls;
    const what = `${used} thread${used === 1 ? '' : 's'}`;
    warnings.push(`Increasing the number of calls to the minimum of 2 with ${what}. total duration will increase`);
    return 2;
  };
  if (exactly > 0) {
    const callsPerThread = atLeastTwo(Math.floor(exactly / used));
    return { threads: used, callsPerThread, leftOver: exactly - callsPerThread * used, warnings };
  }
  if (qps === 0 || durationMs === 0) return { threads: used, callsPerThread: undefined, leftOver: 0, warnings };
  const callsPerThread = atLeastTwo(Math.floor((qps * durationMs) / 1000 / used));
  return { threads: used, callsPerThread, leftOver: 0, warnings };
}

/** How many seconds after its beginning a thread makes its call number `index`; the last one ends the whole time. */
export function dueAt(index: number, callsPerThread: number | undefined, qpsPerThread: number): number {
  if (callsPerThread === undefined || callsPerThread < 2) return index / qpsPerThread;
  return (index + index / (callsPerThread - 1)) / qpsPerThread;
}
