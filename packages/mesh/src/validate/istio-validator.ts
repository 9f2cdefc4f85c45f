// Validation where Istio objects are written: the admission plugin that stands for istiod's validating webhook.
import type { AdmissionPlugin, AdmissionRequest, AdmissionResponse } from '@varka/kube/server/admission.ts';
import { unsupportedFields } from '../config/unsupported-fields.ts';
import { sameJson } from '../install/merge-patch.ts';
import { validate } from './validate.ts';

const NAME = 'validation.istio.io';
const GROUPS: ReadonlySet<string> = new Set(['networking.istio.io', 'config.istio.io']);

export function istioValidator(): AdmissionPlugin {
  return { name: NAME, admit };
}

function admit({ operation, kind, object, oldObject }: AdmissionRequest): AdmissionResponse {
  if (operation === 'DELETE' || !GROUPS.has(kind.group)) return { allowed: true };
  // A change of metadata or status must stay possible on an object that was stored under older rules.
  if (oldObject !== undefined && sameJson(oldObject['spec'], object['spec'])) return { allowed: true };
  const named = object.kind === undefined ? { ...object, kind: kind.kind } : object;
  const { errors, warnings } = validate(named);
  if (errors.length > 0) {
    return {
      allowed: false,
      message: `configuration is invalid: ${joined(errors)}`,
    };
  }
  const all = [
    ...warnings,
    ...unsupportedFields(named).map((path) => `${path}: accepted, but not carried out by this version of Varka`),
  ];
  return all.length === 0 ? { allowed: true } : { allowed: true, warnings: all };
}

/** The form in which istiod lists several (hashicorp/go-multierror). */
function joined(errors: readonly string[]): string {
  if (errors.length === 1) return errors[0]!;
  return `${errors.length} errors occurred:\n${errors.map((error) => `\t* ${error}\n`).join('')}\n`;
}
