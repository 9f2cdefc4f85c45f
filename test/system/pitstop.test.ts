// Pitstop in a mesh, in either sandbox, by its own suite; and the walkthrough "Run the application with a Service Mesh" on
// the manifests of its own repository.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { behavesAsPitstop, type PitstopTarget } from '../../demos/pitstop/test/behaviour.ts';
import { binomialBounds } from './support/binomial.ts';
import { eventually } from './support/eventually.ts';
import { findKubectl } from './support/kubectl.ts';
import { burst } from './support/load.ts';
import { Mesh } from './support/mesh.ts';
import { must, namespacesAllowed, seedManifests, skipUnless } from './support/peers.ts';
import { serviceTarget } from './support/service-target.ts';

const kubectlPeer = findKubectl();
const seedPeer = seedManifests('seed-3');
const NAMESPACE = 'pitstop';
const PATIENCE_MS = 60_000;
const REQUESTS = 400;
const CONNECTIONS = 2;
/** Chance that a correct mesh fails the check of a share. */
const FALSE_ALARM = 1e-9;

const MESHED = ['customermanagementapi-v1', 'sqlserver', 'vehiclemanagementapi', 'webapp', 'workshopmanagementapi'];
const PLAIN = [
  'auditlogservice',
  'invoiceservice',
  'logserver',
  'mailserver',
  'notificationservice',
  'rabbitmq',
  'timeservice',
  'workshopmanagementeventhandler',
];

/** Of the Services that the suite asks through the API server. */
const PORT_NAMES = {
  customermanagementapi: 'http-5100',
  vehiclemanagementapi: 'http-5000',
  workshopmanagementapi: 'http-5200',
  mailserver: 'web',
  logserver: 'http-5341',
};

type Kubectl = (...args: string[]) => Promise<string>;

function kubectlOf(mesh: Mesh): Kubectl {
  return async (...args) => {
    const result = await mesh.run(must(kubectlPeer), ['-n', NAMESPACE, ...args]);
    assert.equal(result.code, 0, `kubectl ${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  };
}

/** `NAME READY STATUS` of each pod, the name that of its workload; in the order of names. */
async function podList(kubectl: Kubectl): Promise<string[]> {
  const lines = (await kubectl('get', 'pods', '--no-headers')).split('\n').filter((line) => line !== '');
  return lines.map((line) => line.replace(/^(\S+?)(?:-[a-z0-9]+){2} +(\S+) +(\S+) .*$/, '$1 $2 $3')).sort();
}

const EXPECTED_PODS = [
  ...MESHED.map((name) => `${name} 2/2 Running`),
  ...PLAIN.map((name) => `${name} 1/1 Running`),
].sort();

async function rolledOut(kubectl: Kubectl, deployment: string): Promise<void> {
  await kubectl('rollout', 'status', `deployment/${deployment}`, '--timeout=60s');
  // The old pod has left the Service by then, but one that still ends has its log and its events.
  await eventually(`only the new pod of ${deployment}`, PATIENCE_MS, async () =>
    (await podList(kubectl)).filter((pod) => pod.startsWith(`${deployment} `)).length === 1 ? true : undefined,
  );
}

/** The web app through the gateway, the others through the API server's proxy. */
function inMesh(mesh: Mesh, gateway: string): PitstopTarget {
  const kubectl = kubectlOf(mesh);
  const services = serviceTarget(mesh, NAMESPACE, PORT_NAMES);
  const deploymentOf = (program: string) => (program === 'customermanagementapi' ? `${program}-v1` : program);
  return {
    fetch: (service, path, init) =>
      service === 'webapp' ? fetch(`${gateway}${path}`, init) : services.fetch(service, path, init),
    async stop(program) {
      await kubectl('scale', `deployment/${deploymentOf(program)}`, '--replicas=0');
      await eventually(`the end of ${program}`, PATIENCE_MS, async () =>
        (await podList(kubectl)).some((pod) => pod.startsWith(`${deploymentOf(program)} `)) ? undefined : true,
      );
    },
    async start(program) {
      await kubectl('scale', `deployment/${deploymentOf(program)}`, '--replicas=1');
      await rolledOut(kubectl, deploymentOf(program));
    },
    async useCustomerApi(version) {
      const image = `customermanagementapi=varka/demo-pitstop/customermanagementapi:${version}`;
      await kubectl('set', 'image', 'deployment/customermanagementapi-v1', image);
      await rolledOut(kubectl, 'customermanagementapi-v1');
    },
    async shortenDays() {
      await kubectl('set', 'env', 'deployment/timeservice', 'DAY_SECONDS=1');
      await rolledOut(kubectl, 'timeservice');
    },
    log: (program) => kubectl('logs', `deployment/${deploymentOf(program)}`, '-c', program, '--tail=-1'),
  };
}

for (const [sandbox, peers] of [
  ['netns', [namespacesAllowed(), kubectlPeer]],
  ['loopback', [kubectlPeer]],
] as const) {
  describe(`Pitstop in a mesh, sandbox ${sandbox}`, { skip: skipUnless(...peers) }, () => {
    const mesh = new Mesh();
    let target: PitstopTarget;
    before(async () => {
      const { code, stdout, stderr } = await mesh.up('--sandbox', sandbox, '-f', 'demos/pitstop');
      assert.equal(code, 0, stdout + stderr);
      target = inMesh(mesh, (await mesh.status()).gateway.http);
    });
    after(() => mesh.dispose());

    test('the web app, the APIs and the database have sidecars', async () => {
      assert.deepEqual(await podList(kubectlOf(mesh)), EXPECTED_PODS);
    });

    behavesAsPitstop(() => target);

    test('the load test looks at all four pages', async () => {
      const kubectl = kubectlOf(mesh);
      await kubectl('apply', '-f', 'demos/tools/load/pitstop.yaml');
      for (const page of ['', 'CustomerManagement', 'VehicleManagement', 'WorkshopManagement'])
        await eventually(`an answer to /${page}`, PATIENCE_MS, async () =>
          (await kubectl('logs', 'deployment/load-test', '-c', 'load-test', '--tail=-1')).includes(
            `http://webapp:7005/${page} 200\n`,
          )
            ? true
            : undefined,
        );
    });
  });
}

describe('seed 3', { skip: skipUnless(namespacesAllowed(), kubectlPeer, seedPeer) }, () => {
  const mesh = new Mesh();
  const kubectl = kubectlOf(mesh);
  const file = (name: string) => join(must(seedPeer), 'src/k8s', `${name}.yaml`);
  const apply = (...names: string[]) => kubectl('apply', ...names.flatMap((name) => ['-f', file(name)]));
  const applyText = async (text: string) => {
    const result = await mesh.run(must(kubectlPeer), ['apply', '-f', '-'], text);
    assert.equal(result.code, 0, result.stderr);
  };
  let webapp = '';
  let details = '';

  const sendForm = async (path: string, fields: Record<string, string>) => {
    const response = await fetch(webapp + path, {
      method: 'POST',
      body: new URLSearchParams(fields),
      redirect: 'manual',
    });
    assert.equal(response.status, 303, await response.text());
  };
  /** How many of that many details pages show a medal. */
  const medals = async (requests = REQUESTS): Promise<number> => {
    const answers = await burst(details, requests, CONNECTIONS);
    for (const { status, body } of answers) assert.deepEqual([status, body.includes('Offline')], [200, false]);
    return answers.filter(({ body }) => body.includes('<img class="medal" src="/images/3.png"')).length;
  };
  const expectShare = async (t: TestContext, share: number): Promise<void> => {
    const seen = await medals();
    const { low, high } = binomialBounds(REQUESTS, share, FALSE_ALARM);
    t.diagnostic(`${seen} of ${REQUESTS} pages have a medal, allowed ${low} to ${high}`);
    assert.ok(seen >= low && seen <= high, `${seen} of ${REQUESTS}, not ${low} to ${high}`);
  };
  /** GETs that version 2.0's own sidecar has let in. */
  const requestsToV2 = async (): Promise<number> => {
    const log = await kubectl('logs', 'deployment/customermanagementapi-v2', '-c', 'istio-proxy', '--tail=-1');
    return (log.match(/"GET \/api\/customers/g) ?? []).length;
  };

  before(async () => {
    const up = await mesh.up();
    assert.equal(up.code, 0, up.stdout + up.stderr);
  });
  after(() => mesh.dispose());

  test('after the script that turns injection off by default, one apply of fifteen files', async () => {
    const config = await kubectl('-n', 'istio-system', 'get', 'configmap', 'istio-sidecar-injector', '-o', 'yaml');
    await applyText(config.replaceAll('policy: enabled', 'policy: disabled'));
    await apply(
      'pitstop-namespace-istio',
      'rabbitmq',
      'logserver',
      'sqlserver-istio',
      'mailserver',
      'invoiceservice',
      'timeservice',
      'notificationservice',
      'workshopmanagementeventhandler',
      'auditlogservice',
      'customermanagementapi-v1-istio',
      'customermanagementapi-svc',
      'vehiclemanagementapi-istio',
      'workshopmanagementapi-istio',
      'webapp-istio',
    );
    await eventually('all pods as the page shows them', PATIENCE_MS, async () => {
      const pods = await podList(kubectl);
      return JSON.stringify(pods) === JSON.stringify(EXPECTED_PODS) ? true : undefined;
    });
  });

  test('the first page, on port 7005 of the load balancer', async () => {
    const jsonpath = 'jsonpath={.status.loadBalancer.ingress[0].ip}:{.spec.ports[0].port}';
    webapp = `http://${await kubectl('get', 'svc', 'webapp', '-o', jsonpath)}`;
    assert.match(webapp, /:7005$/);
    const page = await eventually('the page', PATIENCE_MS, async () => {
      const response = await fetch(webapp);
      return response.status === 200 ? response.text() : undefined;
    });
    assert.match(page, /Pitstop/);
  });

  test('a customer, a vehicle and a job', async () => {
    const customer = {
      name: 'Ilse de Vries',
      address: 'Prinsengracht 263',
      postalCode: '1016 GV',
      city: 'Amsterdam',
      telephoneNumber: '020-5567105',
      emailAddress: 'ilse@example.com',
    };
    await eventually('the customer API', PATIENCE_MS, async () =>
      (await (await fetch(`${webapp}/CustomerManagement`)).text()).includes('Offline') ? undefined : true,
    );
    await sendForm('/CustomerManagement/Register', customer);
    const list = await (await fetch(`${webapp}/CustomerManagement`)).text();
    const path = /href="(\/CustomerManagement\/Details\/[^"]+)">Ilse de Vries</.exec(list)?.[1] ?? '';
    details = webapp + path;
    const ownerId = path.split('/').at(-1) ?? '';
    await sendForm('/VehicleManagement/Register', { licenseNumber: 'AB-12-C', brand: 'Volvo', type: 'V70', ownerId });
    await eventually('the vehicle in the workshop', PATIENCE_MS, async () =>
      (await (await fetch(`${webapp}/WorkshopManagement/New`)).text()).includes('AB-12-C') ? true : undefined,
    );
    await sendForm('/WorkshopManagement/RegisterMaintenanceJob', {
      planningDate: '2030-05-01',
      licenseNumber: 'AB-12-C',
      startTime: '09:00',
      endTime: '10:00',
      description: 'Oil',
    });
    assert.match(await (await fetch(`${webapp}/WorkshopManagement?planningDate=2030-05-01`)).text(), /09:00–10:00/);
  });

  test('version 2.0 is released in the dark: it runs, looks after its tables, and gets no request', async () => {
    await apply('customermanagementapi-v2-istio');
    await rolledOut(kubectl, 'customermanagementapi-v2');
    await eventually('its database', PATIENCE_MS, async () => {
      const log = await kubectl('logs', 'deployment/customermanagementapi-v2', '-c', 'customermanagementapi');
      return log.includes('Database CustomerManagement is ready') ? true : undefined;
    });
    assert.equal(await medals(50), 0);
    assert.equal(await requestsToV2(), 0);
  });

  test('a mirror reaches nobody while the Service selects version 1.0 only, then version 2.0, unseen', async () => {
    await apply('customermanagementapi-mirror');
    assert.equal(await medals(50), 0);
    assert.equal(await requestsToV2(), 0);
    const service = readFileSync(file('customermanagementapi-svc'), 'utf8');
    await applyText(service.replace(/\n +version: "1\.0"\s*$/, '\n'));
    await eventually('mirrored requests', PATIENCE_MS, async () => {
      assert.equal(await medals(20), 0);
      return (await requestsToV2()) > 0 ? true : undefined;
    });
  });

  test('canary: 25 pages in 100 have a medal', async (t) => {
    await apply('customermanagementapi-canary');
    await eventually('a first medal', PATIENCE_MS, async () => ((await medals(20)) > 0 ? true : undefined));
    await expectShare(t, 0.25);
  });

  test('the page’s older numbers and name work too: 10 in 100', async (t) => {
    await kubectl('delete', 'virtualservice', 'customermanagementapi-virtual-service');
    const canary = readFileSync(file('customermanagementapi-canary'), 'utf8');
    const older = canary
      .replace('name: customermanagementapi-virtual-service', 'name: customermanagementapi')
      .replace('weight: 75', 'weight: 90')
      .replace('weight: 25', 'weight: 10');
    await applyText(older);
    await eventually('the older share', PATIENCE_MS, async () => ((await medals(60)) < 20 ? true : undefined));
    await expectShare(t, 0.1);
  });

  test('release: without the rule, half of the pages have a medal', async (t) => {
    await kubectl('delete', 'virtualservice', 'customermanagementapi');
    const again = await mesh.run(must(kubectlPeer), [
      'delete',
      'virtualservice',
      'customermanagementapi',
      '-n',
      NAMESPACE,
    ]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /\(NotFound\): virtualservices.*"customermanagementapi" not found/);
    await eventually('half and half', PATIENCE_MS, async () => ((await medals(40)) >= 15 ? true : undefined));
    await expectShare(t, 0.5);
  });

  test('one call in four to the vehicle API fails, and the web app’s retries hide it', async (t) => {
    await apply('vehiclemanagementapi-faults');
    const failures = async () =>
      (
        (await kubectl('logs', 'deployment/webapp', '-c', 'webapp', '--tail=-1')).match(
          /vehicle management module failed/g,
        ) ?? []
      ).length;
    await eventually('a first failure', PATIENCE_MS, async () => {
      await burst(`${webapp}/VehicleManagement`, 10, 1);
      return (await failures()) > 0 ? true : undefined;
    });
    const pages = await burst(`${webapp}/VehicleManagement`, 200, CONNECTIONS);
    const offline = pages.filter(({ body }) => body.includes('Offline')).length;
    // Six failures in a row: 1 in 4096. Five such pages in two hundred would be one run in 10^9.
    const { high } = binomialBounds(200, 0.25 ** 6, FALSE_ALARM);
    t.diagnostic(`${await failures()} failed calls, ${offline} offline pages of 200`);
    assert.ok(offline <= high, `${offline} pages were offline`);
    assert.ok(pages.every(({ status }) => status === 200));
  });

  test('the policy on who may call is kept', async () => {
    await apply('customermanagementapi-auth');
    assert.match(await kubectl('get', 'authorizationpolicy'), /only-allow-from-pitstop-ns/);
  });

  test('stop-all leaves no pod', async () => {
    for (const kind of ['svc', 'deploy', 'virtualservice', 'destinationrule']) await kubectl('delete', kind, '--all');
    await eventually('no pod', PATIENCE_MS, async () => ((await podList(kubectl)).length === 0 ? true : undefined));
    const left = await kubectl('get', 'configmap,authorizationpolicy', '-o', 'name');
    assert.match(left, /configmap\/rqconfigmap/);
    assert.match(left, /only-allow-from-pitstop-ns/);
  });

  test('the Linkerd start script names a file that is not there, and applies nothing', async () => {
    const missing = file('sqlserver-linkerd');
    const result = await mesh.run(must(kubectlPeer), [
      'apply',
      '-f',
      file('pitstop-namespace-linkerd'),
      '-f',
      file('rabbitmq'),
      '-f',
      missing,
    ]);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /^error: the path ".*sqlserver-linkerd\.yaml" does not exist/m);
    assert.deepEqual(await podList(kubectl), []);
    // With the plain file in its place those who ask for Linkerd's proxy get ours.
    await apply(
      'pitstop-namespace-linkerd',
      'sqlserver',
      'customermanagementapi-v1-linkerd',
      'customermanagementapi-svc',
    );
    await eventually('the pods', PATIENCE_MS, async () => {
      const pods = await podList(kubectl);
      const expected = ['customermanagementapi-v1 2/2 Running', 'sqlserver 1/1 Running'];
      return JSON.stringify(pods) === JSON.stringify(expected) ? true : undefined;
    });
  });
});
