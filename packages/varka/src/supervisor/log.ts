// The supervisor's own log: one JSON object a line, on its standard output, which the front has tied to a file.
import { writeSync } from 'node:fs';
import type { Logger } from '@varka/kube/log.ts';
import { errorCode } from '../errors.ts';

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

/** The parts of the mesh that write to it; `varka logs NAME` picks one. */
export const COMPONENTS = [
  'supervisor',
  'apiserver',
  'controllers',
  'istiod',
  'node',
  'dns',
  'gateway',
  'front',
] as const;
export type Component = (typeof COMPONENTS)[number];

const STDOUT = 1;

function write(line: string): void {
  try {
    writeSync(STDOUT, line);
  } catch (error) {
    // A full disk must not take the mesh down with it: the line is lost, what ran goes on running.
    if (errorCode(error) !== 'ENOSPC' && errorCode(error) !== 'EDQUOT') throw error;
  }
}

export function createLogger(component: Component, least: Level = 'info'): Logger {
  const log = (level: Level) => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return () => undefined;
    return (msg: string, fields?: Record<string, unknown>) => {
      const record = { level, time: new Date().toISOString(), component, msg, ...fields };
      write(
        `${JSON.stringify(record, (_key, value: unknown) => (value instanceof Error ? (value.stack ?? value.message) : value))}\n`,
      );
    };
  };
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}
