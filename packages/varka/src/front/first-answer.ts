// The proof that the mesh carries traffic: the first 200 through the gateway, from outside.
import { get } from 'node:http';
import { setTimeout } from 'node:timers/promises';

export type FirstAnswer =
  | { readonly kind: 'ok'; readonly ms: number }
  | { readonly kind: 'none'; readonly last: string };

const PATIENCE_MS = 10_000;
const PAUSE_MS = 25;

function statusOf(url: string): Promise<string> {
  return new Promise((resolve) => {
    const call = get(url, { agent: false, timeout: 2_000 }, (response) => {
      response.resume();
      response.on('close', () => resolve(String(response.statusCode)));
    });
    call.on('timeout', () => call.destroy(new Error('no answer within 2 s')));
    call.on('error', (error) => resolve(error.message));
  });
}

/** Asks until the answer is 200. `elapsed` tells the time since the command was given. */
export async function firstAnswer(url: string, elapsed: () => number): Promise<FirstAnswer> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const last = await statusOf(url);
    if (last === '200') return { kind: 'ok', ms: elapsed() };
    if (performance.now() > deadline) return { kind: 'none', last };
    await setTimeout(PAUSE_MS);
  }
}
