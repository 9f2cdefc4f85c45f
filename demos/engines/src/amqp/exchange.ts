// Exchanges: which of the bound queues a routing key reaches.

export type ExchangeType = 'direct' | 'fanout' | 'topic';

export const isExchangeType = (type: string): type is ExchangeType => /^(direct|fanout|topic)$/.test(type);

export interface Binding {
  readonly queue: string;
  readonly key: string;
}

export interface ExchangeOptions {
  readonly type: ExchangeType;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
}

export class Exchange {
  readonly name: string;
  readonly options: ExchangeOptions;
  readonly bindings: Binding[] = [];

  constructor(name: string, options: ExchangeOptions) {
    this.name = name;
    this.options = options;
  }

  /** Answers whether it is new. */
  bind(queue: string, key: string): boolean {
    if (this.bindings.some((binding) => binding.queue === queue && binding.key === key)) return false;
    this.bindings.push({ queue, key });
    return true;
  }

  /** Answers whether there was such a binding. Without `key`, all of the queue's. */
  unbind(queue: string, key?: string): boolean {
    const kept = this.bindings.filter((one) => one.queue !== queue || (key !== undefined && one.key !== key));
    const found = kept.length < this.bindings.length;
    this.bindings.splice(0, this.bindings.length, ...kept);
    return found;
  }

  /** Each queue once, however many bindings lead to it. */
  route(key: string): Set<string> {
    const { type } = this.options;
    const words = key.split('.');
    const matches = this.bindings.filter((binding) => {
      if (type === 'fanout') return true;
      return type === 'direct' ? binding.key === key : topicMatches(binding.key.split('.'), words);
    });
    return new Set(matches.map(({ queue }) => queue));
  }
}

/** `*` is one word, `#` any number of them (AMQP 0-9-1 specification, 3.1.3.3). */
export function topicMatches(pattern: readonly string[], words: readonly string[]): boolean {
  // reachable[i]: the pattern so far can use up the first i words.
  let reachable = words.map(() => false);
  reachable = [true, ...reachable];
  for (const part of pattern) {
    if (part === '#') {
      const first = reachable.indexOf(true);
      reachable = reachable.map((_, at) => first >= 0 && at >= first);
    } else {
      reachable = reachable.map(
        (_, at) => at > 0 && reachable[at - 1] === true && (part === '*' || part === words[at - 1]),
      );
    }
  }
  return reachable.at(-1) === true;
}
