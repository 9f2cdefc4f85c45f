// varka.yaml in the working directory: programs that stand in for images.
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import type { CatalogEntry } from '@varka/node/images/image-catalog.ts';
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { problem } from './errors.ts';

const FILE = 'varka.yaml';
const IMAGE_FIELDS = ['image', 'command', 'env', 'workingDir'];

/** Reads the file once, pointing each complaint at its line. */
class ConfigReader {
  readonly #path: string;
  readonly #directory: string;
  readonly #lines = new LineCounter();

  constructor(path: string, directory: string) {
    this.#path = path;
    this.#directory = directory;
  }

  read(): CatalogEntry[] {
    const document = parseDocument(readFileSync(this.#path, 'utf8'), { lineCounter: this.#lines, prettyErrors: false });
    const error = document.errors[0];
    if (error !== undefined) throw this.#complaint(error.pos[0], `not YAML: ${error.message}`);
    const contents: unknown = document.contents;
    if (contents === null) return [];
    if (!isMap(contents)) throw this.#complaint(0, 'it is not a mapping');
    this.#onlyFields(contents, ['images']);
    const images = contents.get('images', true) as unknown;
    if (images === undefined) return [];
    if (!isSeq(images)) throw this.#at(images, 'images is not a list');
    return images.items.map((item) => this.#entry(item));
  }

  #entry(item: unknown): CatalogEntry {
    if (!isMap(item)) throw this.#at(item, 'an entry of images is not a mapping');
    this.#onlyFields(item, IMAGE_FIELDS);
    const image = this.#text(item, 'image');
    if (image === undefined) throw this.#at(item, 'an entry of images has no image');
    if (/[:@]/.test(image.replace(/^[^/]*:\d+\//, ''))) {
      throw this.#at(
        item,
        `image ${image}: give the name without tag or digest; the program stands in for all of them`,
      );
    }
    const workingDir = resolve(this.#directory, this.#text(item, 'workingDir') ?? '.');
    if (!existsSync(workingDir)) throw this.#at(item, `image ${image}: workingDir ${workingDir} does not exist`);
    return {
      image,
      program: { entrypoint: this.#command(item, image, workingDir), workingDir, env: this.#env(item, image) },
    };
  }

  /** The program as an absolute path, so that a missing one is told now and not by a pod that cannot start. */
  #command(item: YAMLMap, image: string, workingDir: string): string[] {
    const command = item.get('command', true) as unknown;
    if (!isSeq(command) || command.items.length === 0)
      throw this.#at(item, `image ${image}: command is not a list of words`);
    const words = command.items.map((word) => {
      if (!isScalar(word) || (typeof word.value !== 'string' && typeof word.value !== 'number'))
        throw this.#at(word, `image ${image}: a word of command is not a text`);
      return String(word.value);
    });
    const [program = '', ...args] = words;
    const found = findProgram(program, workingDir);
    if (found === undefined) throw this.#at(command, `image ${image}: no program ${program} in PATH or ${workingDir}`);
    return [found, ...args];
  }

  #env(item: YAMLMap, image: string): Record<string, string> {
    const env = item.get('env', true) as unknown;
    if (env === undefined) return {};
    if (!isMap(env)) throw this.#at(env, `image ${image}: env is not a mapping`);
    return Object.fromEntries(
      env.items.map(({ key, value }) => {
        if (!isScalar(key) || !isScalar(value) || value.value === null)
          throw this.#at(key, `image ${image}: env holds names and texts only`);
        return [String(key.value), String(value.value)];
      }),
    );
  }

  #text(map: YAMLMap, field: string): string | undefined {
    const node = map.get(field, true) as unknown;
    if (node === undefined) return undefined;
    if (!isScalar(node) || typeof node.value !== 'string') throw this.#at(node, `${field} is not a text`);
    return node.value;
  }

  #onlyFields(map: YAMLMap, known: readonly string[]): void {
    for (const { key } of map.items as Pair[]) {
      const name = isScalar(key) ? String(key.value) : '?';
      if (!known.includes(name)) throw this.#at(key, `unknown field ${name}; known: ${known.join(', ')}`);
    }
  }

  #at(node: unknown, detail: string) {
    return this.#complaint((node as Node | null)?.range?.[0] ?? 0, detail);
  }

  #complaint(offset: number, detail: string) {
    return problem('config-invalid', { path: FILE, line: this.#lines.linePos(offset).line, detail });
  }
}

function findProgram(name: string, workingDir: string): string | undefined {
  // `node` is the one that runs Varka, whatever PATH says: programs written for it should not find an older one.
  if (name === 'node') return process.execPath;
  if (name.includes('/')) {
    const path = isAbsolute(name) ? name : join(workingDir, name);
    return existsSync(path) ? path : undefined;
  }
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}

export function readConfig(directory: string): CatalogEntry[] {
  const path = join(directory, FILE);
  return existsSync(path) ? new ConfigReader(path, directory).read() : [];
}
