// What the client can read (Accept) and what it sent (Content-Type).
import { StatusError } from '../status-error.ts';

export interface MediaType {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** How the answer is to be shaped. */
export interface Wanted {
  readonly encoding: 'json' | 'yaml';
  /** Table and metadata-only forms (Kubernetes: `as=Table;v=v1;g=meta.k8s.io`). */
  readonly as?: 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList' | 'APIGroupDiscoveryList';
  /** The version of the form (`v`). */
  readonly version?: string;
}

const FORMS = ['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList', 'APIGroupDiscoveryList'] as const;

export function parseMediaType(text: string): MediaType {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  const parameters: Record<string, string> = {};
  for (const part of rest) {
    const at = part.indexOf('=');
    if (at > 0) parameters[part.slice(0, at).toLowerCase()] = part.slice(at + 1).replace(/^"(.*)"$/, '$1');
  }
  return { type: type.toLowerCase(), parameters };
}

/** The first form in the header that this server has. */
export function wanted(accept: string | undefined): Wanted {
  if (accept === undefined || accept.trim() === '') return { encoding: 'json' };
  for (const range of accept.split(',').map(parseMediaType)) {
    const encoding = ENCODINGS[range.type];
    if (encoding === undefined) continue;
    const as = range.parameters['as'];
    if (as === undefined) return { encoding };
    const form = FORMS.find((one) => one === as);
    if (form === undefined) continue;
    const version = range.parameters['v'];
    return version === undefined ? { encoding, as: form } : { encoding, as: form, version };
  }
  throw StatusError.notAcceptable('only the following media types are accepted: application/json, application/yaml');
}

const ENCODINGS: Readonly<Record<string, 'json' | 'yaml'>> = {
  'application/json': 'json',
  'application/yaml': 'yaml',
  'application/*': 'json',
  '*/*': 'json',
  'text/plain': 'json',
};
