// Conditions on the users' own objects: that a proxy has refused a rule, and what of it is not carried out. Every write
// makes a new resourceVersion, on which a `kubectl replace` of what was read a moment ago fails, so an object with nothing
// wrong is left alone (istiod does not write status at all unless told to: PILOT_ENABLE_STATUS), and what has been said
// is not said again.

import type { KubeClient } from '@varka/kube/client/client.ts';
import type { Clock, Timer } from '@varka/kube/client/clock.ts';
import type { Informer } from '@varka/kube/client/informer.ts';
import type { KindRef } from '@varka/kube/kinds/kind.ts';
import { DestinationRule, Gateway, VirtualService } from '@varka/kube/kinds/refs.ts';
import type { Logger } from '@varka/kube/log.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import { CLUSTER, ENDPOINTS, LISTENER, ROUTES, type TypeUrl } from '@varka/xds/type-urls.ts';
import { configUri } from '../compile/messages.ts';
import { unsupportedFields } from '../config/unsupported-fields.ts';
import { type Condition, withTransitionTimes } from '../install/conditions.ts';
import { sameJson } from '../install/merge-patch.ts';
import type { MeshInformers } from '../registry/registry.ts';

export interface ConditionWriterOptions {
  readonly client: KubeClient;
  readonly informers: Pick<MeshInformers, 'gateways' | 'virtualServices' | 'destinationRules'>;
  readonly log: Logger;
  readonly clock: Clock;
}

/** News that comes together is written together. */
const GATHER_MS = 100;

/** Objects that a configuration was made from, by URI, each at its generation. */
type Sources = ReadonlyMap<string, number | undefined>;

interface ProxyState {
  uses: Sources;
  /** What it uses is made from these. */
  accepted: Sources;
  /** It has accepted all it was last given. */
  settled: boolean;
  readonly refused: Map<TypeUrl, Refusal>;
}

interface Refusal {
  /** `proxy: message`. */
  readonly said: string;
  /** A refusal is of all resources of a type together: it must be about one of the objects that are new since. */
  readonly suspects: ReadonlySet<string>;
}

interface WatchedKind {
  readonly ref: KindRef;
  readonly uriKind: Parameters<typeof configUri>[0];
  readonly informer: Informer<KubeObject>;
  /** The resource types that objects of the kind end up in. */
  readonly types: readonly TypeUrl[];
}

export class ConditionWriter {
  readonly #options: ConditionWriterOptions;
  readonly #kinds: readonly WatchedKind[];
  /** By its connection: a proxy that connects anew may be there before its old connection has gone. */
  readonly #proxies = new Map<object, ProxyState>();
  /** What was last written on an object as it stands in the informer, which may not have caught up with that. */
  readonly #written = new WeakMap<KubeObject, string>();
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(options: ConditionWriterOptions) {
    const { gateways, virtualServices, destinationRules } = options.informers;
    this.#options = options;
    this.#kinds = [
      { ref: Gateway, uriKind: 'gateway', informer: gateways, types: [LISTENER, ROUTES] },
      { ref: VirtualService, uriKind: 'virtual-service', informer: virtualServices, types: [ROUTES] },
      { ref: DestinationRule, uriKind: 'destination-rule', informer: destinationRules, types: [CLUSTER, ENDPOINTS] },
    ];
  }

  /** A proxy has been given a configuration made from these objects. */
  uses(proxy: object, uris: ReadonlySet<string>): void {
    const uses = this.#generationsOf(uris);
    const state = this.#proxies.get(proxy) ?? { uses, accepted: new Map(), settled: false, refused: new Map() };
    state.uses = uses;
    state.settled = false;
    this.#proxies.set(proxy, state);
  }

  applied(proxy: object): void {
    const state = this.#proxies.get(proxy);
    if (state === undefined) return;
    state.settled = true;
    state.accepted = state.uses;
    this.changed();
  }

  accepted(proxy: object, typeUrl: TypeUrl): void {
    if (this.#proxies.get(proxy)?.refused.delete(typeUrl)) this.changed();
  }

  refused(proxy: object, name: string, typeUrl: TypeUrl, message: string): void {
    const state = this.#proxies.get(proxy);
    if (state === undefined) return;
    const said = `${name}: ${message}`;
    const before = state.refused.get(typeUrl);
    // The same again, with the next configuration: what came with that is not to blame.
    if (before?.said === said) return;
    state.refused.set(typeUrl, { said, suspects: suspects(state) });
    this.changed();
  }

  gone(proxy: object): void {
    this.#proxies.delete(proxy);
    this.changed();
  }

  /** Something that conditions depend on has changed. */
  changed(): void {
    if (this.#stopped) return;
    if (this.#writing !== undefined) {
      this.#again = true;
      return;
    }
    this.#timer ??= this.#options.clock.after(GATHER_MS, () => {
      this.#timer = undefined;
      this.#writing = this.#writeAll().finally(() => {
        this.#writing = undefined;
        if (!this.#again) return;
        this.#again = false;
        this.changed();
      });
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (const kind of this.#kinds)
      for (const object of kind.informer.list()) if (!this.#stopped) await this.#write(kind, object);
  }

  #generationsOf(uris: ReadonlySet<string>): Sources {
    const generations = new Map<string, number | undefined>();
    for (const { informer, uriKind } of this.#kinds)
      for (const { metadata } of informer.list()) {
        const uri = configUri(uriKind, metadata?.namespace ?? '', metadata?.name ?? '');
        if (uris.has(uri)) generations.set(uri, metadata?.generation);
      }
    return generations;
  }

  async #write(kind: WatchedKind, object: KubeObject): Promise<void> {
    const { name = '', namespace = '' } = object.metadata ?? {};
    const findings = this.#findings(kind, object, configUri(kind.uriKind, namespace, name));
    if (findings === undefined) return;
    const now = new Date(this.#options.clock.now());
    const conditions = withFindings(conditionsOf(object), findings, now);
    const text = JSON.stringify(findings);
    if (conditions === undefined || this.#written.get(object) === text) return;
    this.#written.set(object, text);
    try {
      await this.#options.client.patch(
        kind.ref,
        name,
        namespace,
        { status: { conditions } },
        { subresource: 'status' },
      );
    } catch (error) {
      // The object may have gone meanwhile; it will be looked at again with the next news.
      this.#written.delete(object);
      const what = `${kind.ref.kind}/${namespace}/${name}`;
      this.#options.log.debug('condition not written', { object: what, error: String(error) });
    }
  }

  /** undefined while proxies have yet to answer: what stands there goes on standing. */
  #findings(kind: WatchedKind, object: KubeObject, uri: string): Condition[] | undefined {
    const users = [...this.#proxies.values()].filter((state) => state.uses.has(uri));
    const findings: Condition[] = [];
    const refusal = firstRefusal(users, kind.types, uri);
    if (refusal !== undefined)
      findings.push({ type: 'Reconciled', status: 'False', reason: 'RefusedByProxy', message: refusal });
    else if (users.some((state) => !state.settled && state.refused.size === 0)) return undefined;
    const unsupported = unsupportedFields({ ...object, kind: kind.ref.kind });
    if (unsupported.length > 0)
      findings.push({
        type: 'CarriedOut',
        status: 'False',
        reason: 'FieldsNotCarriedOut',
        message: `Not carried out yet: ${unsupported.join(', ')}.`,
      });
    return findings;
  }
}

function suspects({ uses, accepted }: ProxyState): ReadonlySet<string> {
  const fresh = [...uses].filter(([uri, generation]) => !accepted.has(uri) || accepted.get(uri) !== generation);
  return new Set((fresh.length === 0 ? [...uses] : fresh).map(([uri]) => uri));
}

function firstRefusal(users: readonly ProxyState[], types: readonly TypeUrl[], uri: string): string | undefined {
  return users
    .flatMap(({ refused }) => types.map((typeUrl) => refused.get(typeUrl)))
    .filter((refusal) => refusal?.suspects.has(uri))
    .map((refusal) => refusal?.said)
    .toSorted()[0];
}

function conditionsOf(object: KubeObject): Condition[] {
  const status = object['status'] as { conditions?: unknown } | undefined;
  return Array.isArray(status?.conditions) ? status.conditions : [];
}

const OURS = new Set(['Reconciled', 'CarriedOut']);

/** The whole new list, others' conditions kept, or undefined when nothing is news. */
function withFindings(
  existing: readonly Condition[],
  findings: readonly Condition[],
  now: Date,
): Condition[] | undefined {
  const ours = existing.filter(({ type }) => OURS.has(type));
  const conditions = withTransitionTimes(findings, ours, now);
  return sameJson(ours, conditions) ? undefined : [...existing.filter(({ type }) => !OURS.has(type)), ...conditions];
}
