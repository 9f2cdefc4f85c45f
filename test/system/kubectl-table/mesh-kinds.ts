// The mesh's kinds under every name they go by, those that came before them, and those of other operators.
import { type Chapter, row } from './line.ts';

const RULES = `apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata: {name: web}
spec: {host: web, subsets: [{name: v1, labels: {version: v1}}]}
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http: [{route: [{destination: {host: web, subset: v1}, weight: 100}]}]
`;

const POLICY = `apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
`;

const LEGACY = `apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: web-route}
spec: {destination: {name: web}, precedence: 1, route: [{labels: {version: prod}}]}
---
apiVersion: extensions/v1beta1
kind: Deployment
metadata: {name: old}
spec:
  replicas: 0
  template:
    metadata: {labels: {app: old}}
    spec: {containers: [{name: old, image: varka/demo-hello}]}
---
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: old, annotations: {kubernetes.io/ingress.class: istio}}
spec: {rules: [{http: {paths: [{path: /.*, backend: {serviceName: web, servicePort: 80}}]}}]}
`;

export const meshKinds: Chapter = {
  about: "the mesh's kinds",
  files: {
    'rules.yaml': RULES,
    'policy.yaml': POLICY,
    'typo.yaml': RULES.replace('host: web, ', 'host: web, colour: red, '),
  },
  lines: [
    {
      run: 'apply -f rules.yaml',
      out: 'destinationrule.networking.istio.io/web created\nvirtualservice.networking.istio.io/web created\n',
    },
    { run: 'get virtualservice', out: /^web +\["web"\] /m },
    { run: 'get VirtualService web -o name', out: 'virtualservice.networking.istio.io/web\n' },
    {
      run: 'get virtualservices.v1alpha3.networking.istio.io web -o yaml',
      out: /^apiVersion: networking\.istio\.io\/v1alpha3$/m,
    },
    { run: 'get vs,dr', out: /destinationrule\.networking\.istio\.io\/web +web/ },
    { run: 'get istio-io', out: /virtualservice\.networking\.istio\.io\/web/ },
    { run: 'describe vs web', out: /Subset: +v1/ },
    { run: 'get vs web -o jsonpath=\'{.spec.http[0].route[?(@.destination.subset=="v1")].weight}\'', out: '100' },
    {
      run: 'patch vs web --type=json -p \'[{"op":"replace","path":"/spec/http/0/timeout","value":"5s"}]\'',
      fails: true,
      err: /JSON patch step 0/,
    },
    {
      run: 'patch vs web --type=merge -p \'{"spec":{"http":[{"route":[{"destination":{"host":"web"}}],"timeout":"5s"}]}}\'',
      out: /patched/,
    },
    { run: 'apply -f typo.yaml', out: /configured/, err: /Warning: unknown field "spec\.colour"/ },
    { run: 'apply -f policy.yaml', out: 'peerauthentication.security.istio.io/default created\n' },
    { run: 'get pa', out: row('default', 'STRICT') },
    { run: 'delete virtualservice,destinationrule --all', out: /virtualservice\.networking\.istio\.io "web" deleted/ },
    { run: 'delete -f policy.yaml', out: /deleted/ },
    { run: 'get route istio-ingressgateway -n istio-system -o jsonpath=\'{ .spec.host }{"\\n"}\'', out: /^\S+:\d+\n$/ },
    {
      run: 'get svc istio-ingressgateway -n istio-system -o jsonpath=\'{.spec.ports[?(@.name=="http2")].port}\'',
      out: '80',
    },
    {
      run: "get pod -n istio-system -l istio=ingressgateway -o jsonpath='{.items..metadata.name}'",
      out: /^istio-ingressgateway-\S+$/,
    },
  ],
};

export const legacy: Chapter = {
  about: 'kinds that came before',
  files: { 'legacy.yaml': LEGACY },
  lines: [
    {
      run: 'apply -f legacy.yaml',
      out: 'routerule.config.istio.io/web-route created\ndeployment.extensions/old created\ningress.extensions/old created\n',
    },
    {
      run: 'apply -f legacy.yaml',
      out: 'routerule.config.istio.io/web-route unchanged\ndeployment.extensions/old unchanged\ningress.extensions/old unchanged\n',
    },
    { run: 'get routerules', out: row('web-route', 'web', '1') },
    { run: "get deploy old -o jsonpath='{.apiVersion} {.spec.selector.matchLabels.app}'", out: 'apps/v1 old' },
    {
      run: "get ingress old -o jsonpath='{.spec.rules[0].http.paths[0].backend.service}'",
      out: '{"name":"web","port":{"number":80}}',
    },
    { run: 'delete -f legacy.yaml', out: /"web-route" deleted/ },
    { run: 'get deploy old', fails: true, err: /deployments\.apps "old" not found/ },
  ],
};

const OPERATORS = `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: site}
spec:
  project: default
  source: {repoURL: https://example.com/site.git, path: k8s}
  destination: {server: https://kubernetes.default.svc, namespace: shop}
---
apiVersion: tekton.dev/v1beta1
kind: Pipeline
metadata: {name: build}
spec: {tasks: [{name: clone, taskRef: {name: git-clone}}]}
---
apiVersion: operators.coreos.com/v1alpha1
kind: Subscription
metadata: {name: mesh}
spec: {channel: stable, name: servicemeshoperator, source: redhat-operators, sourceNamespace: openshift-marketplace}
`;

export const operators: Chapter = {
  about: "other operators' kinds are kept, and say that nothing acts on them",
  files: {
    'operators.yaml': OPERATORS,
    'run.yaml':
      'apiVersion: tekton.dev/v1beta1\nkind: PipelineRun\nmetadata: {generateName: build-run-}\nspec: {pipelineRef: {name: build}}\n',
  },
  lines: [
    {
      run: 'apply -f operators.yaml',
      out: /application\.argoproj\.io\/site created\npipeline\.tekton\.dev\/build created\nsubscription/,
      err: /Warning: nothing acts on a Pipeline here yet/,
    },
    { run: 'get sub', out: row('mesh', 'servicemeshoperator', 'redhat-operators', 'stable') },
    { run: 'create -f run.yaml', out: /^pipelinerun\.tekton\.dev\/build-run-[a-z0-9]{5} created\n$/ },
    { run: 'apply -f run.yaml', fails: true, err: /cannot use generate name with apply/ },
    { run: 'delete pipelinerun,pipeline,applications,subscriptions --all', out: /"site" deleted/ },
    { run: 'delete ns shop', out: /^namespace "shop" deleted/ },
    { run: 'get all -n shop', err: /No resources found/ },
  ],
};
