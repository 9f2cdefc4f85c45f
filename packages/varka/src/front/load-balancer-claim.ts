// Which part of the loopback network a profile's load balancers have to themselves: a socket says that it is taken.
import { createHash } from 'node:crypto';
import { errorCode } from '../errors.ts';
import { listenOn } from './listeners.ts';

/** Parted into one /24 for each mesh that runs on this machine. */
export const LOAD_BALANCER_NETWORK = '127.77.0.0/16';
const NETWORK = '127.77';
const PARTS = 256;
/** The last host of a part, at the port where kube-proxy answers health checks. */
const CLAIM_HOST = 254;
const CLAIM_PORT = 10_256;

export interface LoadBalancerClaim {
  /** `127.77.5`: the addresses from .1 to .253 are the profile's. */
  readonly prefix: string;
  release(): void;
}

/** Begins at a part that hangs on the directory alone, so that addresses stay the same. None: this machine has only 127.0.0.1. */
export async function claimLoadBalancers(directory: string): Promise<LoadBalancerClaim | undefined> {
  const first = createHash('sha256').update(directory).digest().readUInt8(0);
  for (let step = 0; step < PARTS; step++) {
    const prefix = `${NETWORK}.${(first + step) % PARTS}`;
    try {
      const server = await listenOn(`${prefix}.${CLAIM_HOST}`, CLAIM_PORT);
      return { prefix, release: () => server.close() };
    } catch (error) {
      const code = errorCode(error);
      if (code === 'EADDRNOTAVAIL') return undefined;
      if (code !== 'EADDRINUSE') throw error;
    }
  }
  return undefined;
}
