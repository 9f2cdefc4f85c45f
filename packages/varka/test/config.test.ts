// varka.yaml: programs for images, and complaints that point at a line.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readConfig } from '../src/config.ts';
import { VarkaError } from '../src/errors.ts';

const directory = mkdtempSync(join(tmpdir(), 'varka-config-'));
after(() => rmSync(directory, { recursive: true, force: true }));

function read(text: string) {
  writeFileSync(join(directory, 'varka.yaml'), text);
  return readConfig(directory);
}

test('without the file there is nothing to read', () => {
  assert.deepEqual(readConfig(join(directory, 'elsewhere')), []);
});

test('a program is found, its folder made absolute, its environment read', () => {
  mkdirSync(join(directory, 'app'));
  const [entry] = read(
    'images:\n  - image: my/app\n    command: ["node", "server.js", 8080]\n    workingDir: app\n    env: { COLOUR: blue, N: 3 }\n',
  );
  assert.deepEqual(entry, {
    image: 'my/app',
    program: {
      entrypoint: [process.execPath, 'server.js', '8080'],
      workingDir: join(directory, 'app'),
      env: { COLOUR: 'blue', N: '3' },
    },
  });
});

test('a registry with a port is not taken for a tag', () => {
  assert.equal(read('images: [{ image: "localhost:5000/my/app", command: [sh] }]')[0]?.image, 'localhost:5000/my/app');
});

const refused: [title: string, text: string, line: number, detail: RegExp][] = [
  ['not YAML', 'images:\n  - {image: a\n', 3, /not YAML/],
  ['a list at the top', '- image: a\n', 1, /not a mapping/],
  ['an unknown field', 'images: []\nimage: a\n', 2, /unknown field image; known: images/],
  ['an unknown field of an entry', 'images:\n  - image: a\n    comand: [sh]\n', 3, /unknown field comand/],
  ['no image', 'images:\n  - command: [sh]\n', 2, /has no image/],
  ['a tag', 'images:\n  - image: my/app:1.0\n    command: [sh]\n', 2, /without tag/],
  ['a command in one text', 'images:\n  - image: a\n    command: sh -c x\n', 2, /not a list of words/],
  [
    'a program that is not there',
    'images:\n  - image: a\n    command: [no-such-program-here]\n',
    3,
    /no program no-such-program-here/,
  ],
  [
    'a folder that is not there',
    'images:\n  - image: a\n    command: [sh]\n    workingDir: nowhere\n',
    2,
    /workingDir .*nowhere does not exist/,
  ],
];

for (const [title, text, line, detail] of refused) {
  test(`${title} is refused at its line`, () => {
    assert.throws(
      () => read(text),
      (error: unknown) => {
        assert.ok(error instanceof VarkaError, String(error));
        assert.match(error.problem.what, new RegExp(`^varka\\.yaml:${line}: `));
        assert.match(error.problem.what, detail);
        return true;
      },
    );
  });
}
