// Follows every kind the API serves, new custom ones too: what the garbage collector and namespace deletion look at.
import { Backoff } from '../client/backoff.ts';
import type { DiscoveredKind } from '../client/client.ts';
import { sleep } from '../client/clock.ts';
import type { InformerEvent } from '../client/informer.ts';
import { CustomResourceDefinition, Event as EventKind } from '../kinds/refs.ts';
import type { KubeObject } from '../object.ts';
import type { ControllerContext } from './context.ts';

export type MonitorHandler = (kind: DiscoveredKind, event: InformerEvent<KubeObject>) => void;

/** Several definitions are usually applied together. */
const SETTLE_MS = 20;

export class ResourceMonitor {
  readonly #context: ControllerContext;
  readonly #handler: MonitorHandler;
  readonly #followed = new Map<string, { readonly kind: DiscoveredKind; readonly off: () => void }>();
  readonly #off: (() => void)[] = [];
  readonly #stopping = new AbortController();
  readonly #backoff: Backoff;
  #discovering: Promise<void> | undefined;
  #again = false;

  constructor(context: ControllerContext, handler: MonitorHandler) {
    this.#context = context;
    this.#handler = handler;
    this.#backoff = new Backoff({ initialMs: 100, maxMs: 10_000, random: context.random });
  }

  /** Resolves when every kind served now has been listed. */
  async start(): Promise<void> {
    await this.#follow();
    await Promise.all([...this.#followed.values()].map(({ kind }) => this.#context.informers.informer(kind).synced));
    // Only now: a definition that goes meanwhile would end what is waited for.
    const definitions = this.#context.informers.informer(CustomResourceDefinition);
    this.#off.push(definitions.onEvent(() => this.#rediscover()));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const off of this.#off.splice(0)) off();
    await this.#discovering;
    for (const { off } of this.#followed.values()) off();
  }

  /** The kind an owner reference speaks of. A reference may name a version that is not the preferred one. */
  kindOf(apiVersion: string, kind: string): DiscoveredKind | undefined {
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
    return this.#followed.get(`${group}/${kind}`)?.kind;
  }

  #rediscover(): void {
    this.#again = true;
    this.#discovering ??= this.#discover().finally(() => {
      this.#discovering = undefined;
    });
  }

  async #discover(): Promise<void> {
    const { clock, log } = this.#context;
    const { signal } = this.#stopping;
    while (this.#again && !signal.aborted) {
      this.#again = false;
      await sleep(clock, SETTLE_MS, signal);
      if (signal.aborted) return;
      try {
        await this.#follow();
        this.#backoff.reset();
      } catch (error) {
        log.warn('cannot discover what the API serves; trying again', { error: (error as Error).message });
        this.#again = true;
        await sleep(clock, this.#backoff.next(), signal);
      }
    }
  }

  async #follow(): Promise<void> {
    const { client, informers } = this.#context;
    const served = new Map((await client.discover()).filter(isCollectable).map((kind) => [keyOf(kind), kind]));
    for (const [key, { kind, off }] of this.#followed) {
      if (served.get(key)?.version === kind.version) continue;
      off();
      this.#followed.delete(key);
      // Its definition has gone, and with it what is left of its objects: nobody will tell of their end.
      if (!served.has(key))
        for (const object of informers.informer(kind).list()) this.#handler(kind, { type: 'deleted', object });
      informers.drop(kind);
    }
    for (const [key, kind] of served) {
      if (this.#followed.has(key)) continue;
      const off = informers.informer(kind).onEvent((event) => this.#handler(kind, event));
      this.#followed.set(key, { kind, off });
    }
  }
}

const keyOf = (kind: DiscoveredKind): string => `${kind.group}/${kind.kind}`;

/** Groups that only show objects of others. */
const VIEWS = new Set(['extensions', 'project.openshift.io']);

/** Events own nothing and are owned by nothing, and there are many. */
function isCollectable(kind: DiscoveredKind): boolean {
  if (VIEWS.has(kind.group) || kind.plural === EventKind.plural) return false;
  return ['list', 'watch', 'delete'].every((verb) => kind.verbs.includes(verb));
}
