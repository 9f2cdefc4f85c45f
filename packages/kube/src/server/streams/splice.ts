// Two connections made one.
import type { Duplex } from 'node:stream';

/** What one side sends the other gets, its end included; resolves when both are closed. */
export function splice(one: Duplex, other: Duplex): Promise<void> {
  one.pipe(other);
  other.pipe(one);
  return Promise.all([follow(one, other), follow(other, one)]).then(() => undefined);
}

/** `left` does not outlive `gone`, but what was on its way still arrives unless `gone` broke off. */
function follow(gone: Duplex, left: Duplex): Promise<void> {
  gone.on('error', () => undefined); // 'close' follows
  return new Promise((resolve) => {
    gone.once('close', () => {
      if (gone.readableEnded) left.end(() => left.destroy());
      else left.destroy();
      resolve();
    });
  });
}
