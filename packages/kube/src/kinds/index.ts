// The table of kinds. A new kind is a row of its own and a line here.
import type { KindRow } from './row.ts';
import { configMapRow } from './rows/config-map.ts';
import { customResourceDefinitionRow } from './rows/custom-resource-definition.ts';
import { deploymentRow } from './rows/deployment.ts';
import { destinationRuleRow } from './rows/destination-rule.ts';
import { endpointSliceRow } from './rows/endpoint-slice.ts';
import { endpointsRow } from './rows/endpoints.ts';
import { eventRow } from './rows/event.ts';
import { gatewayRow } from './rows/gateway.ts';
import { namespaceRow } from './rows/namespace.ts';
import { nodeRow } from './rows/node.ts';
import { podRow } from './rows/pod.ts';
import { replicaSetRow } from './rows/replica-set.ts';
import { routeRow } from './rows/route.ts';
import { secretRow } from './rows/secret.ts';
import { serviceRow } from './rows/service.ts';
import { serviceAccountRow } from './rows/service-account.ts';
import { serviceMeshControlPlaneRow } from './rows/service-mesh-control-plane.ts';
import { serviceMeshMemberRollRow } from './rows/service-mesh-member-roll.ts';
import { virtualServiceRow } from './rows/virtual-service.ts';

/** In the order `kubectl api-resources` and `kubectl get all` show them. */
export const KINDS: readonly KindRow[] = [
  configMapRow,
  endpointsRow,
  eventRow,
  namespaceRow,
  nodeRow,
  podRow,
  secretRow,
  serviceAccountRow,
  serviceRow,
  customResourceDefinitionRow,
  deploymentRow,
  replicaSetRow,
  endpointSliceRow,
  serviceMeshMemberRollRow,
  serviceMeshControlPlaneRow,
  destinationRuleRow,
  gatewayRow,
  virtualServiceRow,
  routeRow,
];
