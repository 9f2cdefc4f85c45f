// How a program ends that serves no port.

/** At once: what it has not acknowledged comes again. */
export function endOnSignals(): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0));
}
