// What the supervisor asks of the host, which it cannot reach from its namespaces: sockets in the host's network, and the
// images of the host's container engine.
import { HostEngine } from '@varka/node/engine/host-engine.ts';
import { errorCode, messageOf } from '../errors.ts';
import type { FromSupervisor } from '../protocol.ts';
import { listenOn } from './listeners.ts';
import type { SupervisorProcess } from './supervisor-process.ts';

type EngineRequest = Extract<FromSupervisor, { type: 'engine' }>;
type ListenRequest = Extract<FromSupervisor, { type: 'listen' }>;

export class HostRequests {
  readonly #engine: HostEngine;

  /** Unpacked images are kept in `cache`. */
  constructor(cache: string) {
    this.#engine = new HostEngine(cache);
  }

  /** `podman` or `docker`, where one is installed. */
  get engine(): string | undefined {
    return this.#engine.name;
  }

  /** Never rejects: what went wrong is the answer. */
  serve(supervisor: SupervisorProcess, request: EngineRequest | ListenRequest): Promise<void> {
    return request.type === 'listen' ? this.#listen(supervisor, request) : this.#askEngine(supervisor, request);
  }

  /** What is under way would keep this process alive. */
  close(): void {
    this.#engine.close();
  }

  async #listen(supervisor: SupervisorProcess, { name, host, port }: ListenRequest): Promise<void> {
    try {
      const server = await listenOn(host, port);
      // One that nobody takes any more would keep this process alive.
      await supervisor.handOver({ name, server }).finally(() => server.close());
    } catch (error) {
      supervisor.refuse(name, { code: errorCode(error) ?? '', message: messageOf(error) });
    }
  }

  async #askEngine(supervisor: SupervisorProcess, { id, ask, image }: EngineRequest): Promise<void> {
    try {
      if (ask === 'pull') await this.#engine.pull(image);
      const program = ask === 'find' ? await this.#engine.find(image) : undefined;
      supervisor.answerFromEngine(id, program === undefined ? {} : { program });
    } catch (error) {
      supervisor.answerFromEngine(id, { error: messageOf(error) });
    }
  }
}
