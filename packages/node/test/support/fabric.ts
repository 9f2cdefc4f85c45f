// A network of the loopback sandbox in a directory of its own, for tests that are not members of it themselves.
import { after } from 'node:test';
import { createFabricDirectory, removeFabric } from '../../src/loopback/fabric-directory.ts';
import { LoopbackNetwork } from '../../src/loopback/loopback-network.ts';

/** Gone when the test file's tests are over. */
export function testFabric(): { readonly directory: string; readonly network: LoopbackNetwork } {
  const directory = createFabricDirectory();
  const network = LoopbackNetwork.create({
    directory,
    podCidr: '10.244.0.0/16',
    serviceCidr: '10.96.0.0/16',
    nodeLocalCidr: '10.96.0.0/28',
    nodeLocalAddresses: [],
    probeSource: '169.254.7.127',
    loadBalancerCidr: '127.77.0.0/16',
    zone: 'cluster.local',
    preload: () => new URL('../../src/loopback/preload/main.ts', import.meta.url).href,
  });
  after(async () => {
    await network.close();
    removeFabric(directory);
  });
  return { directory, network };
}
