// What a container is started with: its environment, command and working directory.
import type { ConfigMap, Pod } from '@varka/kube/client/typed-objects.ts';
import type { Container, EnvVar, Secret } from 'kubernetes-types/core/v1.d.ts';
import type { ImageProgram } from '../images/image-catalog.ts';
import { expand } from './expansion.ts';

/** The container's configuration asks for what is not there: CreateContainerConfigError. */
export class ContainerConfigError extends Error {
  override readonly name = 'ContainerConfigError';
}

/** Answers undefined when there is no such object. */
export interface ConfigSource {
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Pick<Secret, 'data'> | undefined>;
}

export interface EnvironmentContext {
  readonly pod: Pod;
  readonly podIp: string;
  readonly hostIp: string;
  /** Variables of the cluster itself (KUBERNETES_SERVICE_HOST …); `$(VAR)` may name them. */
  readonly service: Readonly<Record<string, string>>;
  readonly config: ConfigSource;
}

/** The container's own variables, in Kubernetes' order: envFrom, then env, later ones winning. */
export async function resolveEnvironment(
  container: Container,
  context: EnvironmentContext,
): Promise<Record<string, string>> {
  const resolved: Record<string, string> = {};
  for (const source of container.envFrom ?? []) {
    Object.assign(resolved, await importAll(source, context));
  }
  for (const variable of container.env ?? []) {
    const value = await valueFor(variable, container, context, (name) => resolved[name] ?? context.service[name]);
    if (value !== undefined) resolved[variable.name] = value;
  }
  return { ...context.service, ...resolved };
}

/** argv: the container's command or else the image's entrypoint, and its args; `$(VAR)` expanded. */
export function resolveCommand(
  container: Container,
  program: ImageProgram,
  environment: Readonly<Record<string, string>>,
): string[] {
  const command = (container.command ?? []).length > 0 ? container.command : undefined;
  const words = [...(command ?? []), ...(container.args ?? [])].map((word) =>
    expand(word, (name) => environment[name]),
  );
  return command === undefined ? [...program.entrypoint, ...words] : standIn(words, program);
}

/** The words of a command with the image's own executable replaced by the program that stands in for it. */
export function standIn(words: readonly string[], { commands = {} }: ImageProgram): string[] {
  const [first = '', ...rest] = words;
  const argv = Object.hasOwn(commands, first) ? commands[first] : undefined;
  return argv === undefined ? [...words] : [...argv, ...rest];
}

async function importAll(
  source: NonNullable<Container['envFrom']>[number],
  context: EnvironmentContext,
): Promise<Record<string, string>> {
  const namespace = context.pod.metadata?.namespace ?? 'default';
  const prefix = source.prefix ?? '';
  const imported: Record<string, string> = {};
  if (source.configMapRef !== undefined) {
    const { name = '', optional = false } = source.configMapRef;
    const data = (await context.config.configMap(namespace, name))?.data;
    if (data === undefined && !optional) throw new ContainerConfigError(`configmap "${name}" not found`);
    for (const [key, value] of Object.entries(data ?? {})) imported[prefix + key] = value;
  }
  if (source.secretRef !== undefined) {
    const { name = '', optional = false } = source.secretRef;
    const data = (await context.config.secret(namespace, name))?.data;
    if (data === undefined && !optional) throw new ContainerConfigError(`secret "${name}" not found`);
    for (const [key, value] of Object.entries(data ?? {})) imported[prefix + key] = decode(value);
  }
  return imported;
}

async function valueFor(
  variable: EnvVar,
  container: Container,
  context: EnvironmentContext,
  lookup: (name: string) => string | undefined,
): Promise<string | undefined> {
  const from = variable.valueFrom;
  if (from === undefined) return expand(variable.value ?? '', lookup);
  const namespace = context.pod.metadata?.namespace ?? 'default';
  if (from.fieldRef !== undefined) return fieldOf(from.fieldRef.fieldPath, context);
  if (from.configMapKeyRef !== undefined) {
    const { name = '', key, optional = false } = from.configMapKeyRef;
    const found = await context.config.configMap(namespace, name);
    return required(found?.data?.[key], optional, 'configmap', name, key, found !== undefined);
  }
  if (from.secretKeyRef !== undefined) {
    const { name = '', key, optional = false } = from.secretKeyRef;
    const found = await context.config.secret(namespace, name);
    const value = found?.data?.[key];
    return required(value && decode(value), optional, 'secret', name, key, found !== undefined);
  }
  throw new ContainerConfigError(
    `env ${variable.name} of container ${container.name}: only fieldRef, configMapKeyRef and secretKeyRef are supported in valueFrom`,
  );
}

function required(
  value: string | undefined,
  optional: boolean,
  what: string,
  name: string,
  key: string,
  exists: boolean,
): string | undefined {
  if (value !== undefined || optional) return value;
  // The kubelet's words.
  throw new ContainerConfigError(
    exists ? `couldn't find key ${key} in ${what} ${name}` : `${what} "${name}" not found`,
  );
}

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');

/** The downward API (Kubernetes: "Available fields" of the downward API, for environment variables). */
export function fieldOf(
  path: string,
  { pod, podIp, hostIp }: Pick<EnvironmentContext, 'pod' | 'podIp' | 'hostIp'>,
): string {
  const subscript = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  if (subscript !== null) {
    const [, map, key = ''] = subscript;
    return (map === 'labels' ? pod.metadata?.labels : pod.metadata?.annotations)?.[key] ?? '';
  }
  switch (path) {
    case 'metadata.name':
      return pod.metadata?.name ?? '';
    case 'metadata.namespace':
      return pod.metadata?.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata?.uid ?? '';
    case 'spec.nodeName':
      return pod.spec?.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? 'default';
    case 'status.podIP':
    case 'status.podIPs':
      return podIp;
    case 'status.hostIP':
    case 'status.hostIPs':
      return hostIp;
    default:
      throw new ContainerConfigError(`unsupported fieldPath: ${path}`);
  }
}
