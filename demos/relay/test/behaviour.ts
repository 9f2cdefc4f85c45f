// What the chain of relays shows its callers, wherever it runs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Target } from '@varka/demo-kit/test/target.ts';

const CLOCK =
  /^\{\n {3}"time": "(0[1-9]|1[0-2]):\d\d:\d\d [AP]M",\n {3}"milliseconds_since_epoch": \d{13},\n {3}"date": "\d\d-\d\d-\d{4}"\n\}\n$/;

export interface Page {
  /** The names of frontend, middleware and backend. */
  readonly names: string[];
  /** Below the third name: what the backend heard. */
  readonly last: string;
}

/** Takes the page apart: each hop's name and time, and what it asked. */
export function parsePage(text: string): Page {
  const names: string[] = [];
  let rest = text;
  for (let hop = 0; hop < 3; hop++) {
    const [all, name = '', after = ''] = /^(\S+) - [\d.]+secs\nhttp:\/\/\S+ -> (.*)$/s.exec(rest) ?? [];
    if (all === undefined) return { names, last: rest };
    names.push(name);
    rest = after;
  }
  return { names, last: rest };
}

/** Registers the tests; `middlewares` are those that may answer. */
export function behaves(target: () => Target, middlewares: readonly string[]): void {
  const page = async (headers: Record<string, string> = {}) => {
    const response = await target().fetch('frontend', '/', { headers });
    return { status: response.status, text: await response.text() };
  };

  test('shows every hop, and the time at the end', async () => {
    const { status, text } = await page();
    assert.equal(status, 200);
    const { names, last } = parsePage(text);
    assert.deepEqual([names[0], names[2]], ['frontend-prod', 'backend-prod'], text);
    assert.ok(middlewares.includes(names[1] ?? ''), text);
    assert.match(last, CLOCK);
  });

  test('fails with an empty 500 when it is asked to', async () => {
    assert.deepEqual(await page({ fail: '1' }), { status: 500, text: '' });
    for (const harmless of ['0', '', 'often']) assert.equal((await page({ fail: harmless })).status, 200);
  });

  test('has one page only', async () => {
    for (const [path, method] of [
      ['/other', 'GET'],
      ['/', 'POST'],
    ] as const) {
      const response = await target().fetch('frontend', path, { method });
      assert.deepEqual([response.status, await response.text()], [404, `Cannot ${method} ${path}\n`]);
    }
  });
}
