// The registry of problems: codes that stay apart, and sentences without holes.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { describe, PROBLEMS, renderProblem } from '../src/errors.ts';

const rows = Object.values(PROBLEMS);

test('every code is used once', () => {
  assert.equal(new Set(rows.map(({ code }) => code)).size, rows.length);
  for (const { code } of rows) assert.match(code, /^VARKA[1-4]\d\d$/);
});

test('every row is raised somewhere', () => {
  const source = new URL('../src/', import.meta.url);
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && name !== 'errors.ts',
  );
  const text = files.map((name) => readFileSync(new URL(name, source), 'utf8')).join('\n');
  for (const name of Object.keys(PROBLEMS)) assert.ok(text.includes(`'${name}'`), `${name} is never raised`);
});

test('what, why and next are told', () => {
  const text = renderProblem(describe('port-taken', { port: 8080, option: '--gateway-port' }));
  assert.match(
    text,
    /^error VARKA104: port 8080 on 127\.0\.0\.1 is taken\n {2}why: {2}--gateway-port asked .*\n {2}next: stop that program/,
  );
  assert.doesNotMatch(text, /\{/);
});
