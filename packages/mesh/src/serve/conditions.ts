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
import type { MeshInformers } from '../registry/registry.ts';

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

/** A condition before it is known whether it is news. */
export type Finding = Omit<Condition, 'observedGeneration' | 'lastTransitionTime'>;

export interface ConditionWriterOptions {
  readonly client: KubeClient;
  readonly informers: Pick<MeshInformers, 'gateways' | 'virtualServices' | 'destinationRules'>;
  readonly log: Logger;
  readonly clock: Clock;
}

/** News that comes together is written together. */
const GATHER_MS = 100;

interface ProxyState {
  uses: ReadonlySet<string>;
  /** It has accepted all it was last given. */
  settled: boolean;
  /** What it said, `proxy: message`. */
  readonly refused: Map<TypeUrl, string>;
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
  /** What was written last, at which version of the object: the informer may not have caught up with it. */
  readonly #written = new Map<string, { findings: string; resourceVersion: string | undefined }>();
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
    const state = this.#proxies.get(proxy) ?? { uses: uris, settled: false, refused: new Map() };
    state.uses = uris;
    state.settled = false;
    this.#proxies.set(proxy, state);
  }

  applied(proxy: object): void {
    const state = this.#proxies.get(proxy);
    if (state === undefined) return;
    state.settled = true;
    this.changed();
  }

  accepted(proxy: object, typeUrl: TypeUrl): void {
    if (this.#proxies.get(proxy)?.refused.delete(typeUrl)) this.changed();
  }

  refused(proxy: object, name: string, typeUrl: TypeUrl, message: string): void {
    this.#proxies.get(proxy)?.refused.set(typeUrl, `${name}: ${message}`);
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

  async #write(kind: WatchedKind, object: KubeObject): Promise<void> {
    const { name = '', namespace = '', generation, resourceVersion } = object.metadata ?? {};
    const findings = this.#findings(kind, object, configUri(kind.uriKind, namespace, name));
    if (findings === undefined) return;
    const existing = conditionsOf(object);
    const key = `${kind.ref.kind}/${namespace}/${name}`;
    const conditions = withFindings(existing, findings, generation, new Date(this.#options.clock.now()).toISOString());
    if (conditions === undefined) return;
    const text = JSON.stringify([findings, generation]);
    const written = this.#written.get(key);
    if (written?.findings === text && written.resourceVersion === resourceVersion) return;
    this.#written.set(key, { findings: text, resourceVersion });
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
      this.#options.log.debug('condition not written', { object: key, error: String(error) });
    }
  }

  /** undefined while proxies have yet to answer: what stands there goes on standing. */
  #findings(kind: WatchedKind, object: KubeObject, uri: string): Finding[] | undefined {
    const users = [...this.#proxies.values()].filter((state) => state.uses.has(uri));
    const findings: Finding[] = [];
    const refusal = firstRefusal(users, kind.types);
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

function firstRefusal(users: readonly ProxyState[], types: readonly TypeUrl[]): string | undefined {
  return users
    .flatMap(({ refused }) => types.map((typeUrl) => refused.get(typeUrl)))
    .filter((said) => said !== undefined)
    .toSorted()[0];
}

function conditionsOf(object: KubeObject): Condition[] {
  const status = object['status'] as { conditions?: unknown } | undefined;
  return Array.isArray(status?.conditions) ? status.conditions : [];
}

const OURS = new Set(['Reconciled', 'CarriedOut']);

/**
 * The whole new list, others' conditions kept, or undefined when nothing is news. `lastTransitionTime` is the time of
 * the last change of status, not of the last look [Kubernetes API conventions, "Typical status properties"].
 */
export function withFindings(
  existing: readonly Condition[],
  findings: readonly Finding[],
  generation: number | undefined,
  now: string,
): Condition[] | undefined {
  const conditions = findings.map((finding): Condition => {
    const before = existing.find(({ type }) => type === finding.type);
    const lastTransitionTime = before?.status === finding.status ? before.lastTransitionTime : now;
    return { ...finding, ...(generation === undefined ? {} : { observedGeneration: generation }), lastTransitionTime };
  });
  const ours = existing.filter(({ type }) => OURS.has(type));
  const same =
    ours.length === conditions.length &&
    conditions.every((condition) => {
      const before = ours.find(({ type }) => type === condition.type);
      return (
        before !== undefined &&
        before.status === condition.status &&
        before.reason === condition.reason &&
        before.message === condition.message &&
        before.observedGeneration === condition.observedGeneration
      );
    });
  return same ? undefined : [...existing.filter(({ type }) => !OURS.has(type)), ...conditions];
}
