import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonErrorOffset } from '../src/server/json-place.ts';

test('the place where a text stops being JSON', () => {
  // The bar marks it.
  const cases = [
    '{"a": |oops}',
    '{"a": 1|',
    '{"a": 1 |"b": 2}',
    '{|,}',
    '[1, |]',
    '{"a" |1}',
    '{|a: 1}',
    '{"a": 1}|}',
    '[1|}',
    '{"a": |01}',
    '|"tab\there"',
    '{"a": |"open}',
    '|',
    '[true, |tru]',
    '[1,\n |nul]',
  ];
  for (const marked of cases) {
    const text = marked.replace('|', '');
    assert.throws(() => JSON.parse(text), SyntaxError, marked);
    assert.equal(jsonErrorOffset(text), marked.indexOf('|'), marked);
  }
});
