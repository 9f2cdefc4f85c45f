// What a write's query says beside the object: only a trial, what to do about unknown fields, who writes.
import type { KubeObject } from '../object.ts';
import { StatusError } from '../status-error.ts';
import type { FieldValidation } from './object-check.ts';

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
  /** Collects what the client is told in Warning headers. */
  readonly warnings: string[];
  /** Who writes (fieldManager). */
  readonly manager: string;
  /** Whether the writer named itself: what others write is accounted for only where an account is kept already. */
  readonly named: boolean;
  /** The subresource through which the object itself is changed. */
  readonly subresource?: string;
  /** Throws when who writes may not write this. */
  readonly guard?: (object: KubeObject) => void;
}

export interface ApplyOptions extends WriteOptions {
  /** Takes over what others manage. */
  readonly force: boolean;
  /** Throws when who applies may not create the object; called whenever it is not there. */
  readonly requireCreate: () => void;
}

/** Kubernetes' limit for the name of a field manager. */
const MANAGER_LIMIT = 128;

/** `agent` is the client's User-Agent, which speaks for a client that names no field manager. */
export function optionsOf(query: URLSearchParams, agent: string | undefined, warnings: string[]): WriteOptions {
  const dryRun = query.getAll('dryRun');
  if (dryRun.some((one) => one !== 'All' && one !== '')) {
    throw StatusError.badRequest(`dryRun: Unsupported value: ${JSON.stringify(dryRun[0])}: supported values: "All"`);
  }
  const validation = query.get('fieldValidation') ?? '';
  if (validation !== '' && validation !== 'Ignore' && validation !== 'Warn' && validation !== 'Strict') {
    throw StatusError.badRequest(
      `fieldValidation: Unsupported value: ${JSON.stringify(validation)}: supported values: "Ignore", "Strict", "Warn"`,
    );
  }
  const manager = query.get('fieldManager') ?? '';
  if (manager.length > MANAGER_LIMIT)
    throw StatusError.badRequest(`fieldManager: Invalid value: must be no more than ${MANAGER_LIMIT} characters`);
  return {
    dryRun: dryRun.includes('All'),
    fieldValidation: validation === '' ? 'Warn' : validation,
    warnings,
    manager: manager === '' ? (agent ?? '').split('/')[0] || 'unknown' : manager,
    named: manager !== '',
  };
}
