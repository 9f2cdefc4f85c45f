// What a pod's annotations say of its containers' programs.
import { isAbsolute } from 'node:path';
import { shellWords } from './shell-words.ts';

/** The container an annotation means when it names none; Istio's injection sets it to the application's. */
const DEFAULT_CONTAINER_ANNOTATION = 'kubectl.kubernetes.io/default-container';
export const COMMAND_ANNOTATION = 'varka.dev/command';
const WORKING_DIR_ANNOTATION = 'varka.dev/working-dir';
const ENV_ANNOTATION = 'varka.dev/env';

/** Each is there when an annotation says so. */
export interface Annotated {
  readonly command?: readonly string[];
  readonly workingDir?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface AnnotatedContainer {
  readonly container: string;
  readonly containers: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** An annotation that cannot be read; the message says which, and how it should be. */
export class AnnotationError extends Error {
  override readonly name = 'AnnotationError';
}

/** `varka.dev/command.NAME` is for that container; `varka.dev/command` for the pod's default one. */
export function readAnnotations(target: AnnotatedContainer): Annotated {
  const command = read(target, COMMAND_ANNOTATION, 'a command', 'a JSON array of strings or shell words', commandOf);
  const workingDir = read(target, WORKING_DIR_ANNOTATION, 'a directory', 'an absolute path', directoryOf);
  const env = read(target, ENV_ANNOTATION, 'an environment', 'a JSON object of strings or words NAME=value', envOf);
  return {
    ...(command === undefined ? {} : { command }),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(env === undefined ? {} : { env }),
  };
}

function read<T>(
  { container, containers, annotations }: AnnotatedContainer,
  annotation: string,
  what: string,
  how: string,
  parse: (value: string) => T,
): T | undefined {
  const byName = `${annotation}.${container}`;
  const standard =
    annotations[DEFAULT_CONTAINER_ANNOTATION] ?? containers.find((name) => name !== 'istio-proxy') ?? containers[0];
  const key = annotations[byName] !== undefined ? byName : annotation;
  const value = key === annotation && container !== standard ? undefined : annotations[key];
  if (value === undefined) return undefined;
  try {
    return parse(value);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new AnnotationError(`annotation ${key} is not ${what}: ${error.message}; write ${how}`, { cause: error });
  }
}

function commandOf(value: string): string[] {
  const words = value.trimStart().startsWith('[') ? jsonWords(value) : shellWords(value);
  if (words.length === 0) throw new SyntaxError('it is empty');
  return words;
}

function jsonWords(value: string): string[] {
  const parsed: unknown = JSON.parse(value);
  if (!Array.isArray(parsed) || !parsed.every((word) => typeof word === 'string')) {
    throw new SyntaxError('it is not an array of strings');
  }
  return parsed;
}

function directoryOf(value: string): string {
  if (!isAbsolute(value)) throw new SyntaxError('it is not absolute');
  return value;
}

function envOf(value: string): Record<string, string> {
  if (value.trimStart().startsWith('{')) {
    const parsed = JSON.parse(value) as Record<string, unknown>;
    const entries = Object.entries(parsed);
    if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) {
      throw new SyntaxError('not all of its values are strings');
    }
    return Object.fromEntries(entries);
  }
  return Object.fromEntries(
    shellWords(value).map((word) => {
      const equals = word.indexOf('=');
      if (equals <= 0) throw new SyntaxError(`"${word}" has no name and value`);
      return [word.slice(0, equals), word.slice(equals + 1)];
    }),
  );
}
