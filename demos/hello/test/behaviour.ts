// What a hello pod does for its callers, wherever it runs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Target } from '@varka/demo-kit/test/target.ts';

/** Registers the tests; any of `versions` may answer. */
export function behaves(target: () => Target, service: string, versions: readonly string[]): void {
  const ask = (path: string, init?: RequestInit) => target().fetch(service, path, init);

  test('says its version on /api/v1, with or without a slash at the end', async () => {
    for (const path of ['/api/v1', '/api/v1/', '/api/v1?a=query']) {
      const response = await ask(path);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8');
      const [, version = ''] = /^Hello my version is: (\S+)\n$/.exec(await response.text()) ?? [];
      assert.ok(versions.includes(version), version);
    }
  });

  test('echoes JSON, and takes a body of another type for none', async () => {
    const json = { 'content-type': 'application/json' };
    const echo = async (body: string, headers: Record<string, string>) => {
      const response = await ask('/api/v1/echo', { method: 'POST', body, headers });
      return [response.status, await response.text()];
    };
    assert.deepEqual(await echo('{ "a": [1, null],\n "b": "<ü>" }', json), [
      200,
      'The client sent: {"a":[1,null],"b":"<ü>"}\n',
    ]);
    assert.deepEqual(await echo('a=1', { 'content-type': 'text/plain' }), [200, 'The client sent: {}\n']);
    assert.equal((await echo('{"a":', json))[0], 400);
    assert.equal((await echo(`"${'x'.repeat(100 * 1024)}"`, json))[0], 413);
  });

  test('is well', async () => {
    const response = await ask('/healthz');
    assert.deepEqual([response.status, await response.text()], [200, 'OK']);
  });

  test('has nothing else', async () => {
    for (const [path, method, said] of [
      ['/', 'GET', 'Cannot GET /\n'],
      ['/api/v2', 'GET', 'Cannot GET /api/v2\n'],
      ['/api/v1', 'DELETE', 'Cannot DELETE /api/v1\n'],
    ] as const) {
      const response = await ask(path, { method });
      assert.deepEqual([response.status, await response.text()], [404, said]);
    }
  });
}
