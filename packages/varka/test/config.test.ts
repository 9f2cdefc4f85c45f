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

test('a file that cannot be read is told', () => {
  const path = join(directory, 'odd');
  mkdirSync(join(path, 'varka.yaml'), { recursive: true });
  assert.throws(() => readConfig(path), /varka\.yaml cannot be read: EISDIR/);
});

test('a program is found, its folder made absolute, its environment read', () => {
  mkdirSync(join(directory, 'app'));
  const [entry] = read(
    'images:\n  - image: my/app\n    command: ["node", "server.js", 8080]\n    workingDir: app\n    env: { COLOUR: blue, N: 3 }\n',
  );
  assert.deepEqual(entry, {
    entry: {
      image: 'my/app',
      program: {
        entrypoint: [process.execPath, 'server.js', '8080'],
        workingDir: join(directory, 'app'),
        env: { COLOUR: 'blue', N: '3' },
      },
    },
  });
});

test('tags, stand-ins for the image’s own commands, kept data, and a build whose program is not there yet', () => {
  const [row] = read(
    [
      'images:',
      '  - image: "shop/*"',
      '    tags: [v1, 1.10]',
      '    command: [./dist/server, --port, 80]',
      '    commands: { load: [sh, load.sh], /app: [node, x.js] }',
      '    keepsData: true',
      '    build: npm run build && echo done',
    ].join('\n'),
  );
  assert.deepEqual(row?.entry.tags, ['v1', '1.10']);
  assert.equal(row?.entry.program.keepsData, true);
  assert.deepEqual(row?.entry.program.entrypoint, [join(directory, 'dist/server'), '--port', '80']);
  assert.match(row?.entry.program.commands?.['load']?.join(' ') ?? '', /^\/.*\/sh load\.sh$/);
  assert.deepEqual(row?.entry.program.commands?.['/app'], [process.execPath, 'x.js']);
  assert.deepEqual(row?.build, { argv: ['/bin/sh', '-c', 'npm run build && echo done'], directory });
  const [listed] = read('images: [{ image: a, command: [sh], build: [make, all] }]');
  assert.deepEqual(listed?.build?.argv, ['make', 'all']);
});

test('a registry with a port is not taken for a tag', () => {
  assert.equal(
    read('images: [{ image: "localhost:5000/my/app", command: [sh] }]')[0]?.entry.image,
    'localhost:5000/my/app',
  );
});

const refused: [title: string, text: string, line: number, detail: RegExp][] = [
  ['not YAML', 'images:\n  - {image: a\n', 3, /not YAML/],
  ['a list at the top', '- image: a\n', 1, /not a mapping/],
  ['an unknown field', 'images: []\nimage: a\n', 2, /unknown field image; known: images/],
  ['an unknown field of an entry', 'images:\n  - image: a\n    comand: [sh]\n', 3, /unknown field comand/],
  ['no image', 'images:\n  - command: [sh]\n', 2, /has no image/],
  ['a tag', 'images:\n  - image: my/app:1.0\n    command: [sh]\n', 2, /without tag or digest, and tags beside it/],
  ['no name of an image', 'images:\n  - image: "my app"\n    command: [sh]\n', 2, /not the name of an image/],
  ['tags that are none', 'images:\n  - image: a\n    command: [sh]\n    tags: v1\n', 4, /tags is not a list of texts/],
  ['a build that is none', 'images:\n  - image: a\n    command: [sh]\n    build: true\n', 4, /build is not a command/],
  ['a flag that is none', 'images:\n  - image: a\n    command: [sh]\n    keepsData: 1\n', 4, /neither true nor false/],
  [
    'a stand-in that is not there',
    'images:\n  - image: a\n    command: [sh]\n    commands: { x: [no-such-program] }\n',
    4,
    /no program no-such-program/,
  ],
  [
    'a stand-in in one text',
    'images:\n  - image: a\n    command: [sh]\n    commands: { x: sh }\n',
    4,
    /commands\.x is not/,
  ],
  ['a command in one text', 'images:\n  - image: a\n    command: sh -c x\n', 3, /not a list of words/],
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
