// The host's container engine, as pods' images are asked of it: it runs outside the cluster's namespaces, where it has
// its store, its daemon and its network, so the front asks it for us.
import type { ContainerEngine } from '@varka/node/images/container-engine.ts';
import type { ImageProgram } from '@varka/node/images/image-catalog.ts';
import type { EngineQuestion, FromSupervisor, ToSupervisor } from '../protocol.ts';

type Answer = Extract<ToSupervisor, { type: 'engine' }>;

export class RemoteEngine implements ContainerEngine {
  readonly name: string | undefined;
  readonly #tell: (message: FromSupervisor) => void;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #next = 1;

  /** Without a `name` there is none, and the front is not asked. */
  constructor(name: string | undefined, tell: (message: FromSupervisor) => void) {
    this.name = name;
    this.#tell = tell;
  }

  async find(image: string): Promise<ImageProgram | undefined> {
    return this.name === undefined ? undefined : (await this.#ask('find', image)).program;
  }

  async pull(image: string): Promise<void> {
    await this.#ask('pull', image);
  }

  take(answer: Answer): void {
    this.#waiting.get(answer.id)?.(answer);
    this.#waiting.delete(answer.id);
  }

  async #ask(ask: EngineQuestion, image: string): Promise<Answer> {
    const id = this.#next++;
    const answer = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#tell({ type: 'engine', id, ask, image });
    });
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }
}
