// Starts the controllers that make a Kubernetes API more than a store.
import type { DiscoveryClient, KubeClient } from '../client/client.ts';
import type { Clock } from '../client/clock.ts';
import { systemClock } from '../client/clock.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import type { InformerSet } from '../client/informer-set.ts';
import type { Logger } from '../log.ts';
import type { ControllerContext } from './context.ts';
import { DeploymentController } from './deployment.ts';
import { GarbageCollector } from './garbage-collector.ts';
import { JobController } from './job.ts';
import { NamespaceController } from './namespace.ts';
import { ReplicaSetController } from './replica-set.ts';
import { ResourceMonitor } from './resource-monitor.ts';
import { ServiceEndpointsController } from './service-endpoints.ts';

export interface StartControllersOptions {
  readonly client: KubeClient & DiscoveryClient;
  /** Shared with whoever else follows the API. Stays the caller's to stop, after the controllers. */
  readonly informers: InformerSet;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** PEM. When given, every namespace gets it as the ConfigMap kube-root-ca.crt. */
  readonly rootCa?: string;
}

export interface Controllers {
  /** Resolves when what was under way has ended. */
  stop(): Promise<void>;
}

/** Resolves when all of them are at work. */
export async function startControllers(options: StartControllersOptions): Promise<Controllers> {
  const { client, informers, log, clock = systemClock, random = Math.random, rootCa } = options;
  const recorders: EventRecorder[] = [];
  const context: ControllerContext = {
    client,
    informers,
    log,
    clock,
    random,
    recorder(component) {
      const recorder = new EventRecorder({ client, component, log, clock });
      recorders.push(recorder);
      return recorder;
    },
  };
  const collector = new GarbageCollector(context);
  const namespaces = new NamespaceController(context, rootCa);
  const workloads = [
    new DeploymentController(context),
    new ReplicaSetController(context),
    new JobController(context),
    new ServiceEndpointsController(context),
  ];
  const monitor = new ResourceMonitor(context, (kind, event) => {
    collector.handle(kind, event);
    namespaces.handle(kind, event);
  });
  const stop = async () => {
    await monitor.stop();
    await Promise.all([...workloads, namespaces, collector].map((controller) => controller.stop()));
    await Promise.all(recorders.map((recorder) => recorder.flush()));
  };
  try {
    await Promise.all([...workloads, namespaces].map((controller) => controller.start()));
    await monitor.start();
    await collector.start(monitor);
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}
