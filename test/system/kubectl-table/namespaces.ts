// The server itself, and namespaces: labels, annotations, projects.
import { type Chapter, row } from './line.ts';

export const server: Chapter = {
  about: 'what the server is and has',
  lines: [
    { run: 'version', out: /Server Version: v1\.\d+\.\d+/ },
    { run: 'cluster-info', out: /Kubernetes control plane.* is running at .*https:\/\/127\.0\.0\.1:\d+/ },
    { run: 'config current-context', out: /^\S+\n$/ },
    { run: 'get --raw /healthz', out: 'ok' },
    { run: 'get --raw /version', out: /"gitVersion"/ },
    { run: 'api-versions', out: /^apps\/v1\n(.*\n)*extensions\/v1beta1\n(.*\n)*networking\.istio\.io\/v1alpha3\n/m },
    { run: 'api-resources', out: row('virtualservices', 'vs', 'networking.istio.io/v1', 'true', 'VirtualService') },
    { run: 'api-resources --namespaced=false -o name', out: /^clusterroles\.rbac\.authorization\.k8s\.io$/m },
    { run: 'api-resources --api-group=security.istio.io -o name', out: /peerauthentications/ },
    { run: 'explain deploy.spec.strategy', out: /FIELDS:\n\s+rollingUpdate\s+<Object>/ },
    { run: 'explain vs.spec.http.fault.abort --recursive', out: /httpStatus\s+<integer>/ },
    { run: 'explain svc.spec.ports.targetPort', out: /<IntOrString>/ },
    { run: 'explain nothing', fails: true, err: /the server doesn't have a resource type "nothing"/ },
    { run: 'get nodes -o wide', out: /^\S+ +Ready +\S* +/m },
    { run: 'describe nodes', out: /Capacity:/ },
    { run: 'get nothing', fails: true, err: /the server doesn't have a resource type "nothing"/ },
  ],
};

export const namespaces: Chapter = {
  about: 'namespaces and their labels',
  lines: [
    { run: 'create namespace shop', out: 'namespace/shop created\n' },
    { run: 'create ns shop', fails: true, err: /namespaces "shop" already exists/ },
    { run: 'create ns Shop', fails: true, err: /a lowercase RFC 1123 label must consist of/ },
    { run: 'create ns other --dry-run=client -o yaml', out: /kind: Namespace\n/ },
    { run: 'create ns other --dry-run=server', out: 'namespace/other created (server dry run)\n' },
    { run: 'get ns other', fails: true, err: /namespaces "other" not found/ },
    { run: 'label namespace shop istio-injection=enabled', out: 'namespace/shop labeled\n' },
    {
      run: 'label ns shop istio-injection=disabled',
      fails: true,
      err: /already has a value \(enabled\), and --overwrite is false/,
    },
    { run: 'label ns shop istio-injection=disabled --overwrite', out: 'namespace/shop labeled\n' },
    { run: 'get namespace -L istio-injection', out: /^shop +Active +\S+ +disabled$/m },
    { run: 'get ns -l istio-injection=disabled -o name', out: 'namespace/shop\n' },
    { run: "get ns -l 'istio-injection in (enabled)' -o name", out: '' },
    { run: 'label ns shop istio-injection-', out: 'namespace/shop unlabeled\n' },
    { run: 'get ns -l istio-injection -o name', out: '' },
    { run: 'get ns shop --show-labels', out: /kubernetes\.io\/metadata\.name=shop/ },
    { run: 'annotate ns shop note=first', out: /^namespace\/shop annotated\n/ },
    { run: 'annotate ns shop note=second --overwrite', out: /annotated/ },
    { run: "get ns shop -o jsonpath='{.metadata.annotations.note}'", out: 'second' },
    { run: 'annotate ns shop note-', out: /annotated/ },
    { run: 'describe ns shop', out: /Status: +Active\n/ },
    { run: 'get projects', out: row('shop', 'Active') },
    { run: 'label ns shop "bad key=1"', fails: true, err: /bad key/ },
  ],
};

export const lastApplied: Chapter = {
  about: 'apply again takes away the label that the file no longer has',
  files: {
    'labeled.yaml':
      'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: mesh\n  labels: {istio-injection: enabled, tier: mesh}\n',
    'plain.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: mesh\n  labels: {tier: mesh}\n',
  },
  lines: [
    { run: 'apply -f labeled.yaml', out: 'namespace/mesh created\n' },
    { run: 'label ns mesh extra=1', out: 'namespace/mesh labeled\n' },
    { run: 'apply -f plain.yaml', out: 'namespace/mesh configured\n' },
    { run: 'get ns mesh --show-labels', out: /extra=1,kubernetes\.io\/metadata\.name=mesh,tier=mesh$/m },
    { run: 'get ns -l istio-injection -o name', out: '' },
    { run: 'delete ns mesh', out: /^namespace "mesh" deleted/ },
    { run: 'get ns mesh', fails: true, err: /NotFound/ },
  ],
};
