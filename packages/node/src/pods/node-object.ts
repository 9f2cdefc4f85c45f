// The Node object this machine shows itself as.
import { arch, availableParallelism, hostname, release, totalmem } from 'node:os';
import type { KubeClient } from '@varka/kube/client/client.ts';
import { type Clock, timestamp } from '@varka/kube/client/clock.ts';
import { Node as NodeKind } from '@varka/kube/kinds/refs.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import { isStatus } from '@varka/kube/status-error.ts';
import type { Node, NodeCondition } from 'kubernetes-types/core/v1.d.ts';

const MAX_PODS = 250;
/** The Kubernetes minor version whose kubelet's behaviour is followed. */
const KUBELET_VERSION = 'v1.35.0';

type PlainNode = { [Field in keyof Node]: Node[Field] };

export function nodeLabels(name: string): Record<string, string> {
  const architecture = arch() === 'x64' ? 'amd64' : arch();
  return {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': architecture,
    // Deprecated in Kubernetes 1.14; the kubelet still gives them, and old manifests select by them.
    'beta.kubernetes.io/os': 'linux',
    'beta.kubernetes.io/arch': architecture,
    'node-role.kubernetes.io/control-plane': '',
  };
}

function nodeStatus(name: string, address: string, podCidr: string, now: string): PlainNode {
  const resources = {
    cpu: String(availableParallelism()),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: `${MAX_PODS}`,
  };
  const condition = (type: string, status: string, reason: string, message: string): NodeCondition => ({
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  });
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: nodeLabels(name) },
    spec: { podCIDR: podCidr, podCIDRs: [podCidr], providerID: `varka://${name}` },
    status: {
      addresses: [
        { type: 'InternalIP', address },
        { type: 'Hostname', address: name },
      ],
      capacity: resources,
      allocatable: resources,
      conditions: [
        condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
        condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
        condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
        condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
      ],
      nodeInfo: {
        architecture: nodeLabels(name)['kubernetes.io/arch'] as string,
        operatingSystem: 'linux',
        osImage: `Varka on ${hostname()}`,
        kernelVersion: release(),
        containerRuntimeVersion: `varka://${process.version.slice(1)}`,
        kubeletVersion: KUBELET_VERSION,
        kubeProxyVersion: '',
        bootID: '',
        machineID: '',
        systemUUID: '',
      },
      daemonEndpoints: {},
    },
  };
}

/** Creates or refreshes it. */
export async function registerNode(
  client: KubeClient,
  name: string,
  address: string,
  podCidr: string,
  clock: Clock,
): Promise<void> {
  const node = nodeStatus(name, address, podCidr, timestamp(clock));
  try {
    await client.create<KubeObject>(NodeKind, { ...node });
  } catch (error) {
    if (!isStatus(error, 'AlreadyExists')) throw error;
    await client.patch(NodeKind, name, undefined, { metadata: { labels: node.metadata?.labels ?? {} } });
  }
  // On a create the API server takes no status.
  await client.patch(NodeKind, name, undefined, { status: node.status }, { subresource: 'status' });
}
