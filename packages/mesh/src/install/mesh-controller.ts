// Keeps the OpenShift objects of the mesh true: control plane and member roll status, Route hosts; and tells
// Ingresses where they are reached.
import type { KubeClient } from '@varka/kube/client/client.ts';
import { type Clock, systemClock } from '@varka/kube/client/clock.ts';
import type { Informer } from '@varka/kube/client/informer.ts';
import { Controller } from '@varka/kube/controllers/controller.ts';
import type { KindRef } from '@varka/kube/kinds/kind.ts';
import * as kinds from '@varka/kube/kinds/refs.ts';
import type { Logger } from '@varka/kube/log.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import { isStatus } from '@varka/kube/status-error.ts';
import { isServed } from '../config/ingress.ts';
import { GATEWAY_NAME, SYSTEM_NAMESPACE } from './addresses.ts';
import { saysAlready } from './conditions.ts';
import { controlPlaneStatus, memberRollStatus } from './control-plane-status.ts';
import { routeStatus, wantedHost } from './route-status.ts';

export interface MeshControllerOptions {
  readonly client: KubeClient;
  readonly log: Logger;
  readonly controlPlanes: Informer;
  readonly memberRolls: Informer;
  readonly namespaces: Informer;
  readonly deployments: Informer;
  readonly routes: Informer;
  readonly services: Informer;
  readonly ingresses: Informer;
  /** As in MeshOptions. */
  readonly gatewayHost: string;
  readonly clock?: Clock;
}

export interface MeshController {
  stop(): Promise<void>;
}

interface ServiceStatus {
  readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] };
}

type Reconciler = (object: KubeObject) => Promise<void>;

/** Resolves when the informers have their first lists: half a picture would make members pending that are there. */
export async function startMeshController(options: MeshControllerOptions): Promise<MeshController> {
  const { client, controlPlanes, memberRolls, namespaces, deployments, routes, services, ingresses, gatewayHost } =
    options;
  const clock = options.clock ?? systemClock;
  const now = () => new Date(clock.now());

  /** Writes the status fields that are not so already. */
  const writeStatus = async (kind: KindRef, object: KubeObject, status: Record<string, unknown>): Promise<void> => {
    if (saysAlready(object['status'], status)) return;
    const { name = '', namespace } = object.metadata ?? {};
    await client.patch(kind, name, namespace, { status }, { type: 'merge', subresource: 'status' });
  };

  const reconcilers: Readonly<Record<string, { informer: Informer; reconcile: Reconciler }>> = {
    controlPlane: {
      informer: controlPlanes,
      reconcile: (object) =>
        writeStatus(kinds.ServiceMeshControlPlane, object, controlPlaneStatus(object, components(deployments), now())),
    },
    memberRoll: {
      informer: memberRolls,
      reconcile: (object) =>
        writeStatus(
          kinds.ServiceMeshMemberRoll,
          object,
          memberRollStatus(object, (name) => namespaces.get(undefined, name) !== undefined, now()),
        ),
    },
    route: {
      informer: routes,
      reconcile: async (object) => {
        const host = wantedHost(object, gatewayHost);
        const { name = '', namespace } = object.metadata ?? {};
        const current = (object['spec'] as { host?: string } | undefined)?.host;
        if (!current) {
          await client.patch(kinds.Route, name, namespace, { spec: { host } }, { type: 'merge' });
        }
        await writeStatus(kinds.Route, object, routeStatus(object, gatewayHost, now()));
      },
    },
    ingress: {
      informer: ingresses,
      reconcile: async (object) => {
        if (!isServed(object)) return;
        const gateway = services.get(SYSTEM_NAMESPACE, GATEWAY_NAME);
        const { ingress = [] } = (gateway?.['status'] as ServiceStatus | undefined)?.loadBalancer ?? {};
        await writeStatus(kinds.Ingress, object, { loadBalancer: { ingress: ingress.map(({ ip }) => ({ ip })) } });
      },
    },
  };

  const controller = new Controller({
    name: 'mesh-controller',
    log: options.log,
    clock,
    async reconcile(key) {
      const [kind = '', namespace = '', name = ''] = key.split('/');
      const { informer, reconcile } = reconcilers[kind]!;
      const object = informer.get(namespace === '' ? undefined : namespace, name);
      if (object === undefined) return undefined;
      try {
        await reconcile(object);
      } catch (error) {
        // Deleted in the meantime: there is nothing left to tell.
        if (!isStatus(error, 'NotFound')) throw error;
      }
      return undefined;
    },
  });
  const keyOf = (kind: string, { metadata }: KubeObject): string =>
    `${kind}/${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`;
  const allOf = (kind: string, informer: Informer): string[] => informer.list().map((object) => keyOf(kind, object));

  for (const [kind, { informer }] of Object.entries(reconcilers)) {
    controller.follow(informer, ({ object }) => [keyOf(kind, object)]);
  }
  // A status depends on other objects too; those that don't change by it cost a comparison.
  controller.follow(namespaces, ({ type }) => (type === 'updated' ? [] : allOf('memberRoll', memberRolls)));
  controller.follow(deployments, ({ object: { metadata } }) =>
    metadata?.name === GATEWAY_NAME && metadata.namespace === SYSTEM_NAMESPACE
      ? allOf('controlPlane', controlPlanes)
      : [],
  );
  // Ingresses are reached where the gateway is.
  controller.follow(services, ({ object: { metadata } }) =>
    metadata?.name === GATEWAY_NAME && metadata.namespace === SYSTEM_NAMESPACE ? allOf('ingress', ingresses) : [],
  );
  await controller.start();
  return { stop: () => controller.stop() };
}

/** What runs for a control plane here: the xDS server in this very process, and the ingress gateway. */
function components(deployments: Informer): Record<string, boolean> {
  const gateway = deployments.get(SYSTEM_NAMESPACE, GATEWAY_NAME);
  const replicas = (gateway?.['status'] as { availableReplicas?: number } | undefined)?.availableReplicas ?? 0;
  return { 'istio-discovery': true, 'mesh-config': true, 'istio-ingress': replicas > 0 };
}
