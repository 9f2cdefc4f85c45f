// varka.yaml in the working directory: programs that stand in for images.
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import type { CatalogEntry } from '@varka/node/images/image-catalog.ts';
import { parseImage } from '@varka/node/images/image-reference.ts';
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { errorCode, messageOf, problem } from './errors.ts';

export const CONFIG_FILE = 'varka.yaml';
const IMAGE_FIELDS = ['image', 'tags', 'command', 'commands', 'env', 'workingDir', 'keepsData', 'build'];

/** A row of the file: what stands in for the image, and what must be run once before it can. */
export interface UserImage {
  readonly entry: CatalogEntry;
  readonly build?: BuildStep;
}

export interface BuildStep {
  readonly argv: readonly string[];
  readonly directory: string;
}

/** Reads the file once, pointing each complaint at its line. */
class ConfigReader {
  readonly #text: string;
  readonly #directory: string;
  readonly #lines = new LineCounter();

  constructor(text: string, directory: string) {
    this.#text = text;
    this.#directory = directory;
  }

  read(): UserImage[] {
    const document = parseDocument(this.#text, { lineCounter: this.#lines, prettyErrors: false });
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

  #entry(item: unknown): UserImage {
    if (!isMap(item)) throw this.#at(item, 'an entry of images is not a mapping');
    this.#onlyFields(item, IMAGE_FIELDS);
    const image = this.#image(item);
    const workingDir = resolve(this.#directory, this.#textOf(item, 'workingDir') ?? '.');
    if (!existsSync(workingDir)) throw this.#at(item, `image ${image}: workingDir ${workingDir} does not exist`);
    // What the build makes is not there yet.
    const build = this.#build(item, image);
    const program = (words: readonly string[], node: unknown): string[] =>
      this.#program(words, node, image, workingDir, build !== undefined);
    const command = item.get('command', true) as unknown;
    const commands = this.#commands(item, image);
    const tags = item.get('tags', true) as unknown;
    const keepsData = this.#flag(item, 'keepsData');
    return {
      entry: {
        image,
        ...(tags === undefined ? {} : { tags: this.#words(tags, `image ${image}: tags is not a list of texts`) }),
        program: {
          entrypoint: program(this.#words(command, `image ${image}: command is not a list of words`, item), command),
          workingDir,
          env: this.#env(item, image),
          ...(commands.length === 0
            ? {}
            : { commands: Object.fromEntries(commands.map(({ name, words, node }) => [name, program(words, node)])) }),
          ...(keepsData ? { keepsData } : {}),
        },
      },
      ...(build === undefined ? {} : { build: { argv: build, directory: workingDir } }),
    };
  }

  #image(item: YAMLMap): string {
    const image = this.#textOf(item, 'image');
    if (image === undefined) throw this.#at(item, 'an entry of images has no image');
    const reference = parseImage(image);
    if (reference === undefined) throw this.#at(item, `image ${image}: not the name of an image`);
    if (reference.tag !== undefined || reference.digest !== undefined) {
      throw this.#at(
        item,
        `image ${image}: give the name without tag or digest, and tags beside it if only some are meant`,
      );
    }
    return image;
  }

  /** The program as an absolute path, so that a missing one is told now and not by a pod that cannot start. */
  #program(words: readonly string[], node: unknown, image: string, workingDir: string, built: boolean): string[] {
    const [name = '', ...args] = words;
    const found = findProgram(name, workingDir);
    if (found !== undefined) return [found, ...args];
    if (built && name.includes('/')) return [resolve(workingDir, name), ...args];
    throw this.#at(node, `image ${image}: no program ${name} in PATH or ${workingDir}`);
  }

  #commands(item: YAMLMap, image: string): { name: string; words: string[]; node: unknown }[] {
    const commands = item.get('commands', true) as unknown;
    if (commands === undefined) return [];
    if (!isMap(commands)) throw this.#at(commands, `image ${image}: commands is not a mapping of names to words`);
    return (commands.items as Pair[]).map(({ key, value }) => {
      if (!isScalar(key)) throw this.#at(key, `image ${image}: commands holds names and lists of words only`);
      const words = this.#words(value, `image ${image}: commands.${String(key.value)} is not a list of words`, key);
      return { name: String(key.value), words, node: value };
    });
  }

  /** A list of words, or a line for a shell. */
  #build(item: YAMLMap, image: string): string[] | undefined {
    const build = item.get('build', true) as unknown;
    if (build === undefined) return undefined;
    const complaint = `image ${image}: build is not a command`;
    if (!isScalar(build) || typeof build.value !== 'string') return this.#words(build, complaint);
    return ['/bin/sh', '-c', build.value];
  }

  #words(node: unknown, complaint: string, place: unknown = node): string[] {
    if (!isSeq(node) || node.items.length === 0) throw this.#at(node ?? place, complaint);
    return node.items.map((word) => {
      if (!isScalar(word) || (typeof word.value !== 'string' && typeof word.value !== 'number'))
        throw this.#at(word, complaint);
      // 1.10 is a tag, not the number 1.1.
      return typeof word.value === 'number' ? (word.source ?? String(word.value)) : word.value;
    });
  }

  #flag(map: YAMLMap, field: string): boolean {
    const node = map.get(field, true) as unknown;
    if (node === undefined) return false;
    if (!isScalar(node) || typeof node.value !== 'boolean') throw this.#at(node, `${field} is neither true nor false`);
    return node.value;
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

  #textOf(map: YAMLMap, field: string): string | undefined {
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
    return problem('config-invalid', { path: CONFIG_FILE, line: this.#lines.linePos(offset).line, detail });
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

/** Throws a `VarkaError` that names the line. Without the file there are none. */
export function readConfig(directory: string): UserImage[] {
  const path = join(directory, CONFIG_FILE);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw problem('config-unreadable', { path, detail: messageOf(error) }, error);
  }
  return new ConfigReader(text, directory).read();
}
