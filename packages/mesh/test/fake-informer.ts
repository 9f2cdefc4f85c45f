// An informer whose content the test decides, as real ones look from outside.
import type { Informer, InformerEvent } from '@varka/kube/client/informer.ts';
import type { Logger } from '@varka/kube/log.ts';
import type { KubeObject } from '@varka/kube/object.ts';

export interface FakeInformer<T extends KubeObject> extends Informer<T> {
  sync(): void;
  set(object: T): void;
  remove(object: T): void;
}

export function fakeInformer<T extends KubeObject>(initial: readonly T[] = [], synced = true): FakeInformer<T> {
  const objects = new Map<string, T>();
  const handlers = new Set<(event: InformerEvent<T>) => void>();
  const ready = Promise.withResolvers<void>();
  const key = (namespace: string | undefined, name: string | undefined) => `${namespace ?? ''}/${name ?? ''}`;
  const keyOf = (object: T) => key(object.metadata?.namespace, object.metadata?.name);
  for (const object of initial) objects.set(keyOf(object), object);
  if (synced) ready.resolve();
  return {
    synced: ready.promise,
    sync: () => ready.resolve(),
    get: (namespace, name) => objects.get(key(namespace, name)),
    list: (namespace) =>
      [...objects.values()].filter((object) => namespace === undefined || object.metadata?.namespace === namespace),
    onEvent(handler) {
      handlers.add(handler);
      for (const object of objects.values()) handler({ type: 'added', object });
      return () => handlers.delete(handler);
    },
    set(object) {
      const old = objects.get(keyOf(object));
      objects.set(keyOf(object), object);
      for (const handler of handlers) handler(old ? { type: 'updated', object, old } : { type: 'added', object });
    },
    remove(object) {
      objects.delete(keyOf(object));
      for (const handler of handlers) handler({ type: 'deleted', object });
    },
    stop: () => handlers.clear(),
  };
}

export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
