// Requests through the gateway: a counted number of them, or a steady stream that remembers every answer.
import { Agent, get } from 'node:http';

export interface Answer {
  /** Milliseconds of `performance.now()` at which the request was sent and its answer was complete. */
  readonly sentAt: number;
  readonly doneAt: number;
  /** 0 when there was none. */
  readonly status: number;
  readonly body: string;
}

const TIMEOUT_MS = 10_000;

export function fetchOnce(url: string, agent: Agent): Promise<Answer> {
  const sentAt = performance.now();
  return new Promise((resolve) => {
    const finish = (status: number, body: string) => resolve({ sentAt, doneAt: performance.now(), status, body });
    const call = get(url, { agent, timeout: TIMEOUT_MS }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => finish(response.statusCode ?? 0, body));
      response.on('error', (error) => finish(0, error.message));
    });
    call.on('timeout', () => call.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    call.on('error', (error) => finish(0, error.message));
  });
}

/** `count` requests over `connections` kept-alive connections. */
export async function burst(url: string, count: number, connections: number): Promise<Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const answers: Answer[] = [];
  let left = count;
  const worker = async () => {
    while (left-- > 0) answers.push(await fetchOnce(url, agent));
  };
  await Promise.all(Array.from({ length: connections }, worker));
  agent.destroy();
  return answers;
}

/** A steady stream until `stop`, one request after the other on each connection. */
export class SteadyLoad {
  readonly answers: Answer[] = [];
  readonly #agent: Agent;
  readonly #workers: Promise<void>[];
  #stopping = false;

  constructor(url: string, connections: number) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
    this.#workers = Array.from({ length: connections }, async () => {
      while (!this.#stopping) this.answers.push(await fetchOnce(url, this.#agent));
    });
  }

  async stop(): Promise<readonly Answer[]> {
    this.#stopping = true;
    await Promise.all(this.#workers);
    this.#agent.destroy();
    return this.answers;
  }
}
