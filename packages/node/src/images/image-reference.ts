// Image names as people write them, and what they stand for.

export interface ImageReference {
  /** docker.io/library/redis: registry and path, never a tag. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

/**
 * Fills in what a short name leaves out, by the rules of Docker's reference package: the first component is a
 * registry only when it has a dot or a colon or is `localhost`; a name of one component is in `library/`.
 */
export function parseImage(image: string): ImageReference | undefined {
  const at = image.indexOf('@');
  const digest = at < 0 ? undefined : image.slice(at + 1);
  const named = at < 0 ? image : image.slice(0, at);
  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/');
  const path = hasTag ? named.slice(0, colon) : named;
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (!/^[A-Za-z0-9][A-Za-z0-9._:\-/*]*$/.test(path) || path.includes('//') || path.endsWith('/')) return undefined;
  if (tag !== undefined && !/^[\w][\w.-]{0,127}$/.test(tag)) return undefined;
  return {
    repository: qualify(path),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function qualify(path: string): string {
  const [first = '', ...rest] = path.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const registry = hasRegistry ? first.replace(/^index\.docker\.io$/, 'docker.io') : 'docker.io';
  const components = hasRegistry ? rest : [first, ...rest];
  if (registry === 'docker.io' && components.length === 1) components.unshift('library');
  return [registry, ...components].join('/');
}
