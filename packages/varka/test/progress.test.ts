// Progress on a terminal and elsewhere.
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { ProgressView } from '../src/cli/progress.ts';
import { table } from '../src/cli/table.ts';

function screen(isTTY: boolean): { out: NodeJS.WriteStream; text: () => string } {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const out = Object.assign(stream, { isTTY, columns: 40 }) as unknown as NodeJS.WriteStream;
  return { out, text: () => text };
}

test('away from a terminal each finished step is one plain line', () => {
  const { out, text } = screen(false);
  const view = new ProgressView(out);
  view.show({ kind: 'begin', step: 'pods', label: 'pods 0/2' });
  view.show({ kind: 'update', step: 'pods', label: 'pods 1/2' });
  view.show({ kind: 'done', step: 'pods', label: 'pods 2/2', ms: 1234 });
  view.show({ kind: 'failed', step: 'x', label: 'x failed' });
  assert.equal(text(), '✓ pods 2/2 1.2 s\n✗ x failed\n');
});

test('on a terminal the step under way keeps to one line, never wider than the screen', () => {
  const { out, text } = screen(true);
  const view = new ProgressView(out);
  view.show({ kind: 'begin', step: 'pods', label: `pods ${'x'.repeat(100)}` });
  view.show({ kind: 'done', step: 'api', label: 'API server', ms: 5 });
  const lines = text().split('\n');
  assert.equal(lines.length, 2); // only the finished step ended its line
  const active = stripVTControlCharacters(lines[1]!.split('\u001b[2K').at(-1)!);
  assert.ok(active.startsWith('… pods') && active.length <= 39, active);
});

test('columns line up, colours not counted', () => {
  assert.equal(
    table(
      ['A', 'LONG'],
      [
        ['\u001b[32mxyz\u001b[39m', '1'],
        ['q', '2'],
      ],
    ),
    'A     LONG\n\u001b[32mxyz\u001b[39m   1\nq     2\n',
  );
});
