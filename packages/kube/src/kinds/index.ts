// The table of kinds. A new kind is a row of its own and a line here.
import type { KindRow } from './row.ts';
import { applicationRow, appProjectRow } from './rows/argo.ts';
import { configMapRow } from './rows/config-map.ts';
import { customResourceDefinitionRow } from './rows/custom-resource-definition.ts';
import { deploymentRow } from './rows/deployment.ts';
import { destinationRuleRow } from './rows/destination-rule.ts';
import { endpointSliceRow } from './rows/endpoint-slice.ts';
import { endpointsRow } from './rows/endpoints.ts';
import { eventRow } from './rows/event.ts';
import { gatewayRow } from './rows/gateway.ts';
import {
  apiGatewayRow,
  gatewayClassRow,
  grpcRouteRow,
  httpRouteRow,
  referenceGrantRow,
  tcpRouteRow,
  tlsRouteRow,
} from './rows/gateway-api.ts';
import { horizontalPodAutoscalerRow, legacyAutoscalerRow } from './rows/horizontal-pod-autoscaler.ts';
import { ingressClassRow, ingressRow, legacyIngressRow } from './rows/ingress.ts';
import { envoyFilterRow, proxyConfigRow, telemetryRow, wasmPluginRow } from './rows/istio-extensions.ts';
import { authorizationPolicyRow, peerAuthenticationRow, requestAuthenticationRow } from './rows/istio-security.ts';
import { cronJobRow, jobRow } from './rows/job.ts';
import { leaseRow } from './rows/lease.ts';
import { legacyDeploymentRow } from './rows/legacy-deployment.ts';
import { nodeMetricsRow, podMetricsRow } from './rows/metrics.ts';
import { namespaceRow } from './rows/namespace.ts';
import { nodeRow } from './rows/node.ts';
import { persistentVolumeClaimRow, persistentVolumeRow, storageClassRow } from './rows/persistent-volume.ts';
import { podRow } from './rows/pod.ts';
import {
  limitRangeRow,
  networkPolicyRow,
  podDisruptionBudgetRow,
  priorityClassRow,
  resourceQuotaRow,
} from './rows/policies.ts';
import { projectRow } from './rows/project.ts';
import { replicaSetRow } from './rows/replica-set.ts';
import {
  localSubjectAccessReviewRow,
  projectRequestRow,
  selfSubjectAccessReviewRow,
  selfSubjectReviewRow,
  selfSubjectRulesReviewRow,
  subjectAccessReviewRow,
  tokenReviewRow,
} from './rows/reviews.ts';
import { clusterRoleRow, roleRow } from './rows/role.ts';
import { clusterRoleBindingRow, roleBindingRow } from './rows/role-binding.ts';
import { routeRow } from './rows/route.ts';
import { egressRuleRow, routeRuleRow } from './rows/route-rule.ts';
import { secretRow } from './rows/secret.ts';
import { serviceRow } from './rows/service.ts';
import { serviceAccountRow } from './rows/service-account.ts';
import { serviceEntryRow, sidecarRow, workloadEntryRow, workloadGroupRow } from './rows/service-entry.ts';
import { serviceMeshControlPlaneRow } from './rows/service-mesh-control-plane.ts';
import { serviceMeshMemberRollRow } from './rows/service-mesh-member-roll.ts';
import { subscriptionRow } from './rows/subscription.ts';
import {
  eventListenerRow,
  pipelineRow,
  pipelineRunRow,
  taskRow,
  taskRunRow,
  tektonConfigRow,
  triggerBindingRow,
  triggerTemplateRow,
} from './rows/tekton.ts';
import { virtualServiceRow } from './rows/virtual-service.ts';
import { mutatingWebhookRow, validatingWebhookRow } from './rows/webhook-configuration.ts';

/** In the order `kubectl api-resources` and `kubectl get all` show them. */
export const KINDS: readonly KindRow[] = [
  configMapRow,
  endpointsRow,
  eventRow,
  limitRangeRow,
  namespaceRow,
  nodeRow,
  persistentVolumeClaimRow,
  persistentVolumeRow,
  podRow,
  resourceQuotaRow,
  secretRow,
  serviceAccountRow,
  serviceRow,
  mutatingWebhookRow,
  validatingWebhookRow,
  customResourceDefinitionRow,
  deploymentRow,
  replicaSetRow,
  selfSubjectReviewRow,
  tokenReviewRow,
  localSubjectAccessReviewRow,
  selfSubjectAccessReviewRow,
  selfSubjectRulesReviewRow,
  subjectAccessReviewRow,
  horizontalPodAutoscalerRow,
  legacyAutoscalerRow,
  cronJobRow,
  jobRow,
  leaseRow,
  endpointSliceRow,
  ingressClassRow,
  ingressRow,
  networkPolicyRow,
  podDisruptionBudgetRow,
  clusterRoleBindingRow,
  clusterRoleRow,
  roleBindingRow,
  roleRow,
  priorityClassRow,
  storageClassRow,
  serviceMeshMemberRollRow,
  serviceMeshControlPlaneRow,
  destinationRuleRow,
  envoyFilterRow,
  gatewayRow,
  proxyConfigRow,
  serviceEntryRow,
  sidecarRow,
  virtualServiceRow,
  workloadEntryRow,
  workloadGroupRow,
  authorizationPolicyRow,
  peerAuthenticationRow,
  requestAuthenticationRow,
  telemetryRow,
  wasmPluginRow,
  egressRuleRow,
  routeRuleRow,
  routeRow,
  projectRequestRow,
  projectRow,
  gatewayClassRow,
  apiGatewayRow,
  grpcRouteRow,
  httpRouteRow,
  referenceGrantRow,
  tcpRouteRow,
  tlsRouteRow,
  applicationRow,
  appProjectRow,
  subscriptionRow,
  tektonConfigRow,
  pipelineRow,
  pipelineRunRow,
  taskRow,
  taskRunRow,
  eventListenerRow,
  triggerBindingRow,
  triggerTemplateRow,
  // After the kinds whose objects they show: clients that name no group take the first that has the name.
  legacyDeploymentRow,
  legacyIngressRow,
  podMetricsRow,
  nodeMetricsRow,
];
