// Defaults and checks of a pod's spec that a schema cannot say (k8s.io/kubernetes pkg/apis/core/validation).
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { StatusCause } from '../object.ts';
import { isRecord } from './conform.ts';
import { selectorOf } from './label-selector.ts';
import { duplicate, invalid, labelProblems, nameProblems, required, unsupported } from './names.ts';

type Fields = Record<string, unknown>;

export const records = (value: unknown): Fields[] => (Array.isArray(value) ? value.filter(isRecord) : []);
export const record = (value: unknown): Fields => (isRecord(value) ? value : {});
export const strings = (value: unknown): Record<string, string> => record(value) as Record<string, string>;

/** Defaults that depend on other fields: image pull policy, requests from limits, the old service account field. */
export function defaultPodSpec(spec: Fields): void {
  for (const container of [...records(spec['initContainers']), ...records(spec['containers'])]) {
    container['imagePullPolicy'] ??= isLatest(String(container['image'] ?? '')) ? 'Always' : 'IfNotPresent';
    const resources = container['resources'] === undefined ? {} : record(container['resources']);
    container['resources'] = resources;
    if (isRecord(resources['limits']))
      resources['requests'] = { ...resources['limits'], ...record(resources['requests']) };
  }
  const account = spec['serviceAccountName'] ?? spec['serviceAccount'];
  if (account !== undefined) {
    spec['serviceAccountName'] = account;
    spec['serviceAccount'] = account;
  }
}

/** No tag and no digest means `latest`, which is always fetched anew. */
function isLatest(image: string): boolean {
  if (image.includes('@')) return false;
  const tag = /:([^/:]+)$/.exec(image)?.[1];
  return tag === undefined || tag === 'latest';
}

export function podSpecProblems(spec: Fields, path: string): StatusCause[] {
  const containers = records(spec['containers']);
  const causes: StatusCause[] = containers.length === 0 ? [required(`${path}.containers`)] : [];
  const volumes = new Set<unknown>();
  for (const [index, volume] of records(spec['volumes']).entries()) {
    const at = `${path}.volumes[${index}].name`;
    causes.push(...nameProblems(String(volume['name']), 'label').map((why) => invalid(at, volume['name'], why)));
    if (volumes.has(volume['name'])) causes.push(duplicate(at, volume['name']));
    volumes.add(volume['name']);
    // A volume names one source; none means emptyDir.
    if (Object.keys(volume).length > 2)
      causes.push({
        reason: 'FieldValueForbidden',
        field: `${path}.volumes[${index}]`,
        message: 'Forbidden: may not specify more than 1 volume type',
      });
  }
  const names = new Set<unknown>();
  for (const list of ['initContainers', 'containers']) {
    for (const [index, container] of records(spec[list]).entries()) {
      causes.push(...containerProblems(container, `${path}.${list}[${index}]`, names, volumes));
    }
  }
  return causes;
}

function containerProblems(container: Fields, path: string, names: Set<unknown>, volumes: Set<unknown>): StatusCause[] {
  const causes: StatusCause[] = [];
  const name = String(container['name'] ?? '');
  if (name === '') causes.push(required(`${path}.name`));
  else causes.push(...nameProblems(name, 'label').map((why) => invalid(`${path}.name`, name, why)));
  if (names.has(name)) causes.push(duplicate(`${path}.name`, name));
  names.add(name);
  const image = container['image'];
  if (image === undefined || image === '') causes.push(required(`${path}.image`));
  else if (/^\s|\s$/.test(String(image)))
    causes.push(invalid(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  const portNames = new Set<unknown>();
  for (const [index, port] of records(container['ports']).entries()) {
    const at = `${path}.ports[${index}].name`;
    if (port['name'] === undefined || port['name'] === '') continue;
    causes.push(...portNameProblems(String(port['name']), at));
    if (portNames.has(port['name'])) causes.push(duplicate(at, port['name']));
    portNames.add(port['name']);
  }
  for (const [index, env] of records(container['env']).entries()) {
    const at = `${path}.env[${index}]`;
    const variable = String(env['name'] ?? '');
    if (variable === '') causes.push(required(`${at}.name`));
    else if (variable.includes('='))
      causes.push(invalid(`${at}.name`, variable, "a valid environment variable name must not contain '='"));
    if (isRecord(env['valueFrom'])) causes.push(...valueFromProblems(env, `${at}.valueFrom`));
  }
  const mounts = new Set<unknown>();
  for (const [index, mount] of records(container['volumeMounts']).entries()) {
    const at = `${path}.volumeMounts[${index}]`;
    if (!volumes.has(mount['name']))
      causes.push({
        reason: 'FieldValueNotFound',
        field: `${at}.name`,
        message: `Not found: ${JSON.stringify(mount['name'])}`,
      });
    if (mounts.has(mount['mountPath'])) causes.push(invalid(`${at}.mountPath`, mount['mountPath'], 'must be unique'));
    mounts.add(mount['mountPath']);
  }
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    if (isRecord(container[probe])) causes.push(...probeProblems(container[probe], `${path}.${probe}`, probe));
  }
  return causes;
}

function valueFromProblems(env: Fields, path: string): StatusCause[] {
  const sources = Object.keys(record(env['valueFrom'])).length;
  if (env['value'] !== undefined && env['value'] !== '')
    return [invalid(path, '', 'may not be specified when `value` is not empty')];
  if (sources === 0)
    return [
      invalid(path, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`'),
    ];
  return sources > 1 ? [invalid(path, '', 'may not have more than one field specified at a time')] : [];
}

function probeProblems(probe: Fields, path: string, name: string): StatusCause[] {
  const handlers = ['httpGet', 'exec', 'tcpSocket', 'grpc'].filter((handler) => probe[handler] !== undefined);
  const causes: StatusCause[] = [];
  if (handlers.length === 0) causes.push(required(path, 'must specify a handler type'));
  for (const extra of handlers.slice(1))
    causes.push({
      reason: 'FieldValueForbidden',
      field: `${path}.${extra}`,
      message: 'Forbidden: may not specify more than 1 handler type',
    });
  for (const handler of ['httpGet', 'tcpSocket']) {
    const target = probe[handler];
    if (isRecord(target)) causes.push(...portProblems(target['port'], `${path}.${handler}.port`));
  }
  if (name !== 'readinessProbe' && typeof probe['successThreshold'] === 'number' && probe['successThreshold'] > 1) {
    causes.push(invalid(`${path}.successThreshold`, probe['successThreshold'], 'must be 1'));
  }
  return causes;
}

export function portProblems(port: unknown, path: string): StatusCause[] {
  if (typeof port === 'number') {
    return port >= 1 && port <= 65535 ? [] : [invalid(path, port, 'must be between 1 and 65535, inclusive')];
  }
  return portNameProblems(String(port ?? ''), path);
}

/** IANA service names. */
export function portNameProblems(name: string, path: string): StatusCause[] {
  if (name.length > 15) return [invalid(path, name, 'must be no more than 15 characters')];
  if (!/^[-a-z0-9]+$/.test(name))
    return [invalid(path, name, 'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')];
  if (!/[a-z]/.test(name)) return [invalid(path, name, 'must contain at least one letter (a-z)')];
  return /^-|-$|--/.test(name)
    ? [invalid(path, name, 'must not begin or end with a hyphen, nor contain two in a row')]
    : [];
}

/** The rules that Deployment and ReplicaSet share: a selector that selects the template's own pods. */
export function workloadProblems(spec: Fields): StatusCause[] {
  const template = record(spec['template']);
  const labels = strings(record(template['metadata'])['labels']);
  const selector = record(spec['selector']);
  const matchLabels = strings(selector['matchLabels']);
  const expressions = records(selector['matchExpressions']);
  const causes = labelProblems(matchLabels, 'spec.selector.matchLabels');
  if (Object.keys(matchLabels).length === 0 && expressions.length === 0) {
    causes.push(invalid('spec.selector', selector, 'empty selector is invalid for deployment'));
  } else if (!selectorOf(selector as LabelSelector)(labels)) {
    causes.push(invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
  }
  causes.push(...labelProblems(labels, 'spec.template.labels'));
  const templateSpec = record(template['spec']);
  causes.push(...podSpecProblems(templateSpec, 'spec.template.spec'));
  if (templateSpec['restartPolicy'] !== 'Always') {
    causes.push(unsupported('spec.template.spec.restartPolicy', templateSpec['restartPolicy'], ['Always']));
  }
  return causes;
}
