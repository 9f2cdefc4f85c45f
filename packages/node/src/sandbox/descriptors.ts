// Descriptors that containers must not inherit.
import { readdirSync } from 'node:fs';
import { KernelError, setCloseOnExec } from '../netlink/libc.ts';

/**
 * What the supervisor itself inherited (a terminal's, a pipe's, a parent's descriptors) is kept from containers: one
 * that holds the write end of `varka up | tee log` would keep tee alive.
 */
export function closeOnExec(): void {
  for (const entry of readdirSync('/proc/self/fd')) {
    const fd = Number(entry);
    if (fd <= 2) continue;
    try {
      setCloseOnExec(fd);
    } catch (error) {
      // The listing shows its own descriptor too, closed since.
      if (!(error instanceof KernelError && error.code === 'EBADF')) throw error;
    }
  }
}
