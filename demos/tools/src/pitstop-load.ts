// Pitstop's load test: its four pages, each asked for again and again with a pause of 0.1 to 2 s, until Ctrl-C.
// The web app's address is the argument; http://localhost:7005 without one.
import { setTimeout as pause } from 'node:timers/promises';

const PAGES = ['/', '/CustomerManagement', '/VehicleManagement', '/WorkshopManagement'];
const PAUSE_MS = { least: 100, most: 2000 };
const TIMEOUT_MS = 10_000;

async function ask(url: URL): Promise<string> {
  try {
    const response = await fetch(url, {
      headers: { 'cache-control': 'no-cache' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.arrayBuffer();
    return String(response.status);
  } catch (error) {
    // fetch says why in the cause.
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    return cause instanceof Error ? cause.message : String(cause);
  }
}

const base = process.argv[2] ?? 'http://localhost:7005';
if (URL.canParse(base)) {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0));
  await Promise.all(
    PAGES.map(async (page) => {
      const url = new URL(page, base);
      for (;;) {
        console.log(`${url} ${await ask(url)}`);
        await pause(PAUSE_MS.least + Math.random() * (PAUSE_MS.most - PAUSE_MS.least));
      }
    }),
  );
} else {
  console.error(`${base} is no URL; usage: pitstop-load [http://HOST:PORT]`);
  process.exitCode = 2;
}
