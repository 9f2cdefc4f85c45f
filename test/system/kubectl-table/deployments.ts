// A deployment's life, with pods that really run: rollouts, waits, logs, scaling.
import { type Chapter, row } from './line.ts';

const WEB = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, version: v1}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: varka/demo-hello
        env: [{name: VERSION, value: v1}]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
`;

const twin = (version: string) =>
  WEB.replaceAll('name: web, ', `name: twin-${version}, `)
    .replaceAll('v1}', `${version}}`)
    .replaceAll('app: web', 'app: twin');

export const deployments: Chapter = {
  about: 'a deployment from apply to delete',
  files: { 'web.yaml': WEB },
  lines: [
    { run: 'apply -f web.yaml', out: 'deployment.apps/web created\n' },
    { run: 'rollout status deployment/web --timeout=60s', out: /deployment "web" successfully rolled out/ },
    { run: 'apply -f web.yaml', out: 'deployment.apps/web unchanged\n' },
    { run: 'get deploy', out: row('web', '1/1', '1', '1') },
    { run: 'get deploy web -o wide', out: /varka\/demo-hello +app=web$/m },
    { run: 'get rs -l app=web', out: /^web-[a-z0-9]+ +1 +1 +1 /m },
    { run: 'get pods -l app=web', out: /^web-[a-z0-9]+-[a-z0-9]{5} +1\/1 +Running +0 /m },
    { run: 'get pods -o wide', out: /10\.\d+\.\d+\.\d+/ },
    { run: 'wait --for=condition=Available deploy/web --timeout=10s', out: 'deployment.apps/web condition met\n' },
    { run: "wait --for=jsonpath='{.status.phase}'=Running pod -l app=web --timeout=10s", out: /condition met/ },
    { run: 'describe deploy web', out: /NewReplicaSet: +web-[a-z0-9]+ \(1\/1 replicas created\)/ },
    { run: 'describe pod -l app=web', out: /Ready +True/ },
    { run: 'logs deploy/web --tail=5' },
    { run: 'logs -l app=web --tail=1 -c web' },
    { run: 'logs deploy/web -c none', fails: true, err: /container none is not valid for pod/ },
    { run: 'expose deploy web --port=80 --target-port=http', out: 'service/web exposed\n' },
    { run: 'get endpointslices -l kubernetes.io/service-name=web', out: /IPv4 +8080 +10\./, until: true },
    { run: 'get endpoints web', out: /10\.\d+\.\d+\.\d+:8080/ },
    { run: 'describe svc web', out: /TargetPort: +http\/TCP/ },
    { run: 'get --raw /api/v1/namespaces/shop/services/web:80/proxy/api/v1', out: 'Hello my version is: v1\n' },
    { run: 'set env deploy/web VERSION=v2', out: 'deployment.apps/web env updated\n' },
    { run: 'rollout status deploy/web --timeout=60s', out: /successfully rolled out/ },
    {
      run: 'get --raw /api/v1/namespaces/shop/services/web:80/proxy/api/v1',
      out: 'Hello my version is: v2\n',
      until: true,
    },
    { run: 'set env deploy/web --list', out: /VERSION=v2/ },
    { run: 'rollout history deploy/web', out: /REVISION +CHANGE-CAUSE\n1 .*\n2 / },
    { run: 'rollout history deploy/web --revision=1', out: /VERSION:\tv1/ },
    { run: 'rollout undo deploy/web', out: 'deployment.apps/web rolled back\n' },
    { run: 'rollout status deploy/web --timeout=60s', out: /successfully rolled out/ },
    { run: "get deploy web -o jsonpath='{.spec.template.spec.containers[0].env[0].value}'", out: 'v1' },
    { run: 'rollout pause deploy/web', out: 'deployment.apps/web paused\n' },
    { run: 'set image deploy/web web=varka/demo-hello:2', out: 'deployment.apps/web image updated\n' },
    { run: 'get rs -l app=web -o name', out: /^(replicaset\.apps\/web-\w+\n){2}$/ },
    { run: 'rollout resume deploy/web', out: 'deployment.apps/web resumed\n' },
    { run: 'rollout status deploy/web --timeout=60s', out: /successfully rolled out/ },
    { run: 'rollout restart deploy/web', out: 'deployment.apps/web restarted\n' },
    { run: 'rollout status deploy/web --timeout=60s', out: /successfully rolled out/ },
    { run: 'scale deployment web --replicas=2', out: 'deployment.apps/web scaled\n' },
    { run: 'rollout status deploy/web --timeout=60s', out: /successfully rolled out/ },
    { run: 'scale deploy web --current-replicas=7 --replicas=3', fails: true, err: /Expected replicas to be 7, was 2/ },
    { run: 'scale deploy --replicas=0 -l app=web', out: 'deployment.apps/web scaled\n' },
    { run: 'wait --for=delete pod -l app=web --timeout=30s' },
    { run: 'get pods -l app=web', err: /No resources found in shop namespace/, until: true },
    {
      run: 'autoscale deploy web --min=1 --max=3',
      out: 'horizontalpodautoscaler.autoscaling/web autoscaled\n',
      err: /Warning: nothing is scaled/,
    },
    { run: 'get hpa', out: /^web +Deployment\/web .* 1 +3 /m },
    { run: 'delete hpa,svc web', out: /service "web" deleted/ },
    { run: 'delete -f web.yaml', out: /^deployment\.apps "web" deleted/ },
    { run: 'get deploy,rs', err: /No resources found/, until: true },
  ],
};

export const twins: Chapter = {
  about: 'two deployments with one selector keep to their own pods',
  files: { 'v1.yaml': twin('v1'), 'v2.yaml': twin('v2') },
  lines: [
    { run: 'apply -f v1.yaml -f v2.yaml', out: 'deployment.apps/twin-v1 created\ndeployment.apps/twin-v2 created\n' },
    {
      run: 'wait --for=condition=Available deploy --all --timeout=60s',
      out: /twin-v1 condition met\n.*twin-v2 condition met/,
    },
    { run: 'scale deploy twin-v1 --replicas=2', out: /scaled/ },
    { run: 'rollout status deploy/twin-v1 --timeout=60s', out: /successfully rolled out/ },
    { run: 'get deploy', out: /twin-v1 +2\/2 .*\ntwin-v2 +1\/1 / },
    { run: 'get pods -l app=twin,version=v2 -o name', out: /^pod\/twin-v2-\S+\n$/ },
    { run: 'delete deploy twin-v1', out: /deleted/ },
    { run: 'get pods -l version=v1 -o name', out: '', until: true },
    { run: 'get pods -l app=twin -o name', out: /^pod\/twin-v2-\S+\n$/ },
    {
      run: 'patch deploy twin-v2 -p \'{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}}\'',
      out: /patched/,
    },
    { run: 'rollout restart deploy/twin-v2', out: /restarted/ },
    { run: 'rollout status deploy/twin-v2 --timeout=60s', out: /successfully rolled out/ },
    { run: 'delete deploy --all', out: /"twin-v2" deleted/ },
    { run: 'wait --for=delete pod --all --timeout=30s' },
  ],
};

export const pods: Chapter = {
  about: 'a pod on its own',
  lines: [
    {
      run: 'run probe --image=varka/demo-hello --port=8080 --env=VERSION=v7 --labels=app=probe',
      out: 'pod/probe created\n',
    },
    { run: 'wait --for=condition=Ready pod/probe --timeout=60s', out: 'pod/probe condition met\n' },
    {
      run: 'get --raw /api/v1/namespaces/shop/pods/probe:8080/proxy/api/v1',
      out: 'Hello my version is: v7\n',
      until: true,
    },
    { run: 'logs probe', out: /"GET \/api\/v1 HTTP\/1\.1" 200/ },
    { run: "get pod probe -o jsonpath='{.status.phase} {.spec.containers[*].name}'", out: 'Running probe' },
    { run: 'get pods --field-selector=status.phase=Running -o name', out: 'pod/probe\n' },
    { run: 'get events --field-selector involvedObject.name=probe', out: /Normal +Started/ },
    { run: 'events --for pod/probe', out: /Started/ },
    { run: 'top pod probe --containers', out: /^probe +probe +\d+m +\d+Mi/m, until: true },
    { run: 'top nodes', out: /CPU\(cores\)/, until: true },
    { run: 'exec probe -- printenv VERSION', out: 'v7\n' },
    { run: 'exec -i probe -c probe -- cat', input: 'as it came', out: 'as it came' },
    { run: "exec probe -- sh -c 'exit 3'", fails: true, err: /command terminated with exit code 3/ },
    {
      run: 'exec probe sh',
      fails: true,
      err: /exec \[POD\] \[COMMAND\] is not supported anymore|exec \[POD\] -- \[COMMAND\]/,
    },
    { run: 'cp probe:/etc/hosts hosts.txt' },
    { run: 'create configmap hosts --from-file=hosts.txt', out: 'configmap/hosts created\n' },
    { run: "get cm hosts -o jsonpath='{.data.hosts\\.txt}'", out: /10\.\d+\.\d+\.\d+\s+probe/ },
    { run: 'expose pod probe --port=80 --target-port=8080 --name=probe', out: 'service/probe exposed\n' },
    { run: 'run none --image=example.com/none --restart=Never', out: 'pod/none created\n' },
    { run: 'get pod none', out: /^none +0\/1 +(ErrImagePull|ImagePullBackOff) /m, until: true },
    { run: 'delete pod probe none --wait=true --grace-period=1', out: /pod "none" (force )?deleted/ },
    { run: 'delete svc probe', out: /deleted/ },
  ],
};

export const jobs: Chapter = {
  about: 'a job runs to its end',
  lines: [
    { run: 'create job once --image=varka/demo-hello -- sh -c "echo done"', out: 'job.batch/once created\n' },
    { run: 'wait --for=condition=Complete job/once --timeout=60s', out: 'job.batch/once condition met\n' },
    { run: 'get jobs', out: row('once', 'Complete', '1/1') },
    { run: 'logs job/once', out: 'done\n' },
    { run: 'get pods -l job-name=once', out: /^once-\w{5} +0\/1 +Completed +0 /m },
    { run: 'create -f never.yaml', out: 'job.batch/never created\n' },
    { run: 'wait --for=condition=Failed job/never --timeout=60s', out: 'job.batch/never condition met\n' },
    { run: 'describe job never', out: /BackoffLimitExceeded/ },
    {
      run: 'create cronjob tick --image=varka/demo-hello --schedule="0 0 1 1 *" -- sh -c "echo tick"',
      err: /Warning: a CronJob starts no Jobs/,
    },
    { run: 'create job tock --from=cronjob/tick', out: 'job.batch/tock created\n' },
    { run: 'wait --for=condition=Complete job/tock --timeout=60s', out: /condition met/ },
    { run: 'delete job,cronjob --all', out: /"once" deleted/ },
    { run: 'get pods -l job-name', err: /No resources found/, until: true },
  ],
  files: {
    'never.yaml': `apiVersion: batch/v1
kind: Job
metadata: {name: never}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: never, image: varka/demo-hello, command: [sh, -c, exit 1]}]
`,
  },
};
