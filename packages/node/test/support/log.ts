// A log for tests: only what should not happen is shown.
import type { Logger } from '@varka/kube/log.ts';

export const log: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message, fields) => console.error('warn', message, fields ?? ''),
  error: (message, fields) => console.error('error', message, fields ?? ''),
};
