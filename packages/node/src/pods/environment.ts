// What a container is started with: its environment, command and working directory.
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import type { Container, EnvVar, ResourceFieldSelector } from 'kubernetes-types/core/v1.d.ts';
import { ContainerConfigError } from '../config/config-error.ts';
import type { ConfigSource } from '../config/config-source.ts';
import { FieldError, metadataField, resourceField } from '../config/downward.ts';
import { expand } from '../config/expansion.ts';
import type { ImageProgram } from '../images/image-catalog.ts';

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
  if (command !== undefined) return standIn(words, program);
  return [...program.entrypoint, ...(words.length > 0 ? words : (program.defaultArgs ?? []))];
}

/** The words of a command with the image's own executable replaced by the program that stands in for it. */
export function standIn(words: readonly string[], { commands = {} }: Pick<ImageProgram, 'commands'>): string[] {
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
  if (from.resourceFieldRef !== undefined) return resourceOf(from.resourceFieldRef, container, context.pod);
  throw new ContainerConfigError(
    `env ${variable.name} of container ${container.name}: only fieldRef, resourceFieldRef, configMapKeyRef and secretKeyRef are supported in valueFrom`,
  );
}

function resourceOf(selector: ResourceFieldSelector, own: Container, { spec }: Pod): string {
  const name = selector.containerName ?? own.name;
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  // By default the container's own (an injected sidecar asks for those of the application).
  const container = name === own.name ? own : containers.find((one) => one.name === name);
  if (container === undefined) throw new ContainerConfigError(`container ${name} not found`);
  return orConfigError(() => resourceField(selector, container));
}

function orConfigError<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof FieldError) throw new ContainerConfigError(error.message, { cause: error });
    throw error;
  }
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
  const metadata = metadataField(path, pod);
  if (metadata !== undefined) return metadata;
  switch (path) {
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
