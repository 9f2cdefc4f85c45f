import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:https';
import { after, before, describe, test } from 'node:test';
import { record, records } from '../src/kinds/pod-template.ts';
import { attributesOf } from '../src/server/access/attributes.ts';
import { authorize, type Binding, type Grants, type Rule } from '../src/server/access/rules.ts';
import { knownUser } from '../src/server/access/user.ts';
import { type ApiFixture, startApi } from './support/api-fixture.ts';

const jane = knownUser('jane', ['dev']);
const asked = (method: string, path: string) => attributesOf(method, new URL(path, 'https://api'));

function grants(rules: readonly Rule[], binding: Partial<Binding> = {}): Grants {
  const one: Binding = {
    kind: 'ClusterRoleBinding',
    name: 'b',
    subjects: [{ kind: 'User', name: 'jane' }],
    roleRef: { kind: 'ClusterRole', name: 'r' },
    ...binding,
  };
  return {
    clusterRoleBindings: () => (one.namespace === undefined ? [one] : []),
    roleBindings: (namespace) => (one.namespace === namespace ? [one] : []),
    rules: (_kind, name) => (name === 'r' ? rules : undefined),
  };
}

const mayJane = (rules: readonly Rule[], method: string, path: string, binding?: Partial<Binding>) =>
  authorize(jane, asked(method, path), grants(rules, binding)).allowed;

describe('what roles allow', () => {
  const pods: Rule = { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods', 'pods/log'] };
  const PODS = '/api/v1/namespaces/n/pods';

  test('verb, group and resource must all be named', () => {
    assert.equal(mayJane([pods], 'GET', PODS), true);
    assert.equal(mayJane([pods], 'GET', `${PODS}/p/log`), true);
    assert.equal(mayJane([pods], 'GET', `${PODS}/p/exec`), false);
    for (const watch of ['watch=true', 'watch', 'watch=any'])
      for (const path of [PODS, `${PODS}/p`]) assert.equal(mayJane([pods], 'GET', `${path}?${watch}`), false, watch);
    const watcher = { ...pods, verbs: ['watch'] };
    assert.equal(mayJane([watcher], 'GET', `${PODS}?watch=1`), true);
    assert.equal(mayJane([watcher], 'GET', `${PODS}?watch=false`), false);
    assert.equal(mayJane([watcher], 'GET', `${PODS}/p/log?watch=1`), false);
    assert.equal(mayJane([pods], 'DELETE', `${PODS}/p`), false);
    assert.equal(mayJane([pods], 'GET', '/apis/metrics.k8s.io/v1/namespaces/n/pods'), false);
    assert.equal(mayJane([{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }], 'DELETE', PODS), true);
    assert.equal(mayJane([{ verbs: ['*'], apiGroups: ['*'], resources: ['*/log'] }], 'GET', `${PODS}/p/log`), true);
    assert.equal(mayJane([{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }], 'GET', '/healthz'), false);
  });

  test('a rule for names is for those only, and never for lists', () => {
    const named = { ...pods, resourceNames: ['p'] };
    assert.equal(mayJane([named], 'GET', `${PODS}/p`), true);
    assert.equal(mayJane([named], 'GET', `${PODS}/q`), false);
    assert.equal(mayJane([named], 'GET', PODS), false);
  });

  test('a RoleBinding holds in its namespace', () => {
    const binding: Partial<Binding> = { kind: 'RoleBinding', namespace: 'n' };
    assert.equal(mayJane([pods], 'GET', PODS, binding), true);
    assert.equal(mayJane([pods], 'GET', '/api/v1/namespaces/m/pods', binding), false);
    assert.equal(mayJane([pods], 'GET', '/api/v1/pods', binding), false);
  });

  test('groups and service accounts are subjects too; others are nobody', () => {
    assert.equal(mayJane([pods], 'GET', PODS, { subjects: [{ kind: 'Group', name: 'dev' }] }), true);
    assert.equal(mayJane([pods], 'GET', PODS, { subjects: [{ kind: 'Group', name: 'ops' }] }), false);
    const robot = knownUser('system:serviceaccount:n:robot', []);
    const subjects = [{ kind: 'ServiceAccount', name: 'robot', namespace: 'n' }];
    assert.equal(authorize(robot, asked('GET', PODS), grants([pods], { subjects })).allowed, true);
    assert.equal(mayJane([pods], 'GET', PODS, { subjects }), false);
  });

  test('a proxied name is allowed with its scheme and port; paths by their beginning', () => {
    const proxy = { verbs: ['get'], apiGroups: [''], resources: ['services/proxy'], resourceNames: ['http:shop:80'] };
    assert.equal(mayJane([proxy], 'GET', '/api/v1/namespaces/n/services/http:shop:80/proxy/x'), true);
    assert.equal(mayJane([proxy], 'GET', '/api/v1/namespaces/n/services/shop:81/proxy/x'), false);
    assert.equal(mayJane([proxy], 'GET', '/api/v1/namespaces/n/services/shop/proxy/x'), false);
    assert.equal(mayJane([{ verbs: ['get'], nonResourceURLs: ['/logs/*'] }], 'GET', '/logs/today'), true);
    assert.equal(mayJane([{ verbs: ['get'], nonResourceURLs: ['/logs'] }], 'GET', '/logs/today'), false);
  });

  test('a binding to a role that is not there gives nothing', () => {
    assert.equal(mayJane([pods], 'GET', PODS, { roleRef: { kind: 'ClusterRole', name: 'gone' } }), false);
  });
});

describe('speaking in the name of others', () => {
  let api: ApiFixture;
  const RBAC = '/apis/rbac.authorization.k8s.io/v1';
  before(async () => {
    api = await startApi();
    await api.call('POST', `${RBAC}/namespaces/default/roles`, {
      body: { metadata: { name: 'reader' }, rules: [{ verbs: ['list'], apiGroups: [''], resources: ['pods'] }] },
    });
    await api.call('POST', `${RBAC}/namespaces/default/rolebindings`, {
      body: {
        metadata: { name: 'readers' },
        roleRef: { kind: 'Role', name: 'reader' },
        subjects: [
          { kind: 'User', name: 'jane' },
          { kind: 'ServiceAccount', name: 'robot', namespace: 'default' },
        ],
      },
    });
  });
  after(() => api.close());

  const asJane = { headers: { 'impersonate-user': 'jane' } };
  const PODS = '/api/v1/namespaces/default/pods';

  test('lets through what the roles allow, and says what they do not', async () => {
    assert.equal((await api.call('GET', PODS, asJane)).code, 200);
    const refused = await api.call('GET', `${PODS}/x`, asJane);
    assert.equal(refused.code, 403);
    assert.equal(
      refused.body.message,
      'pods "x" is forbidden: User "jane" cannot get resource "pods" in API group "" in the namespace "default"',
    );
    const cluster = await api.call('GET', '/api/v1/nodes', asJane);
    assert.match(cluster.body.message, /^nodes is forbidden: .* at the cluster scope$/);
    assert.equal((await api.call('GET', '/apis', asJane)).code, 200);
    assert.match((await api.call('GET', '/metrics', asJane)).body.message, /User "jane" cannot get path "\/metrics"/);
    const upgrade = await api.call('POST', `${PODS}/x/exec?command=sh`, asJane);
    assert.equal(upgrade.code, 403);
  });

  test('refuses groups without a user', async () => {
    assert.equal((await api.call('GET', PODS, { headers: { 'impersonate-group': 'system:masters' } })).code, 400);
  });

  test("a service account's token is good for what its roles allow, until the account goes", async () => {
    await api.call('POST', '/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'robot' } } });
    const issued = await api.call('POST', '/api/v1/namespaces/default/serviceaccounts/robot/token', { body: {} });
    assert.equal(issued.code, 201, issued.text);
    const token = String(record(issued.body['status'])['token']);
    const asRobot = { headers: { authorization: `Bearer ${token}` } };
    assert.equal((await api.call('GET', PODS, asRobot)).code, 200);
    assert.equal((await api.call('GET', '/api/v1/namespaces/default/secrets', asRobot)).code, 403);
    const other = await api.call('GET', PODS, { headers: { ...asRobot.headers, 'impersonate-user': 'jane' } });
    assert.match(other.body.message, /^users "jane" is forbidden: .* cannot impersonate resource "users"/);
    const forged = `${token.slice(0, -4)}AAAA`;
    assert.equal((await api.call('GET', PODS, { headers: { authorization: `Bearer ${forged}` } })).code, 401);
    await api.call('DELETE', '/api/v1/namespaces/default/serviceaccounts/robot');
    assert.equal((await api.call('GET', PODS, asRobot)).code, 401);
  });

  test('a token is not given out on terms that would not be kept', async () => {
    await api.call('POST', '/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'robot' } } });
    for (const spec of [{ expirationSeconds: 'long' }, { boundObjectRef: { kind: 'Pod', name: 'p' } }]) {
      const refused = await api.call('POST', '/api/v1/namespaces/default/serviceaccounts/robot/token', {
        body: { spec },
      });
      assert.equal(refused.code, 400, refused.text);
    }
  });

  test('a token for somebody else is not good here', async () => {
    await api.call('POST', '/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'robot' } } });
    const issued = await api.call('POST', '/api/v1/namespaces/default/serviceaccounts/robot/token', {
      body: { spec: { audiences: ['vault'] } },
    });
    const token = String(record(issued.body['status'])['token']);
    assert.equal((await api.call('GET', PODS, { headers: { authorization: `Bearer ${token}` } })).code, 401);
  });

  test('answers what somebody may', async () => {
    const review = async (user: object, resourceAttributes: object) => {
      const answer = await api.call('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
        body: { spec: { ...user, resourceAttributes } },
      });
      return record(answer.body['status']);
    };
    const list = { verb: 'list', resource: 'pods', namespace: 'default' };
    assert.deepEqual(await review({ user: 'jane' }, list), {
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "readers/default" of Role "reader" to User "jane"',
    });
    assert.equal((await review({ user: 'joe' }, list))['allowed'], false);
    const ask = { verb: 'create', group: 'authorization.k8s.io', resource: 'selfsubjectaccessreviews' };
    assert.equal((await review({ user: 'system:anonymous' }, ask))['allowed'], false);
    assert.equal((await review({ user: 'joe', groups: ['system:authenticated'] }, ask))['allowed'], true);
    assert.equal((await review({ user: 'joe', groups: ['system:masters'] }, list))['allowed'], true);
    const rules = await api.call('POST', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', {
      body: { spec: { namespace: 'default' } },
      ...asJane,
    });
    const names = records(record(rules.body['status'])['resourceRules']).flatMap((rule) => rule['resources']);
    assert.ok(names.includes('pods'), rules.text);
    const self = await api.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { body: {}, ...asJane });
    assert.deepEqual(record(record(self.body['status'])['userInfo'])['groups'], ['system:authenticated']);
  });

  test('nobody gives away what he does not have', async () => {
    const ROLES = `${RBAC}/namespaces/default/roles`;
    const BINDINGS = `${RBAC}/namespaces/default/rolebindings`;
    const rules = [{ verbs: ['*'], apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'] }];
    await api.call('POST', ROLES, { body: { metadata: { name: 'keeper' }, rules } });
    // `*` holds "escalate" and "bind" too.
    const some = [{ ...rules[0], verbs: ['create', 'update'] }];
    await api.call('POST', ROLES, { body: { metadata: { name: 'writer' }, rules: some } });
    const bind = (role: string, user: string, name: string) => ({
      metadata: { name },
      roleRef: { kind: 'Role', name: role },
      subjects: [{ kind: 'User', name: user }],
    });
    await api.call('POST', BINDINGS, { body: bind('writer', 'jane', 'writers') });
    const pods = { verbs: ['list'], apiGroups: [''], resources: ['pods'] };
    const own = await api.call('POST', ROLES, { body: { metadata: { name: 'own' }, rules: [pods] }, ...asJane });
    assert.equal(own.code, 201, own.text);
    const secrets = [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }];
    const more = await api.call('POST', ROLES, { body: { metadata: { name: 'more' }, rules: secrets }, ...asJane });
    assert.equal(more.code, 403);
    assert.match(
      more.body.message,
      /^roles\.rbac\.authorization\.k8s\.io "more" is forbidden: user "jane" .* not currently held:\n\{APIGroups:\[""\], Resources:\["secrets"\], Verbs:\["get"\]\}$/,
    );
    const widened = await api.call('PUT', `${ROLES}/own`, {
      body: { metadata: { name: 'own' }, rules: secrets },
      ...asJane,
    });
    assert.equal(widened.code, 403);
    const bound = await api.call('POST', BINDINGS, { body: bind('keeper', 'jane', 'taken'), ...asJane });
    assert.match(bound.body.message, /not currently held/);
    const early = await api.call('POST', BINDINGS, { body: bind('later', 'jane', 'early'), ...asJane });
    assert.deepEqual([early.code, early.body.message], [404, 'roles.rbac.authorization.k8s.io "later" not found']);
    const given = await api.call('POST', BINDINGS, { body: bind('own', 'joe', 'given'), ...asJane });
    assert.equal(given.code, 201, given.text);
    await api.call('POST', BINDINGS, { body: bind('keeper', 'jane', 'keepers') });
    assert.equal(
      (await api.call('POST', ROLES, { body: { metadata: { name: 'more' }, rules: secrets }, ...asJane })).code,
      201,
    );
  });

  test('only who may do everything writes a role that gathers others', async () => {
    const rules = [{ verbs: ['create'], apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'] }];
    await api.call('POST', `${RBAC}/clusterroles`, { body: { metadata: { name: 'founder' }, rules } });
    await api.call('POST', `${RBAC}/clusterrolebindings`, {
      body: {
        metadata: { name: 'founders' },
        roleRef: { kind: 'ClusterRole', name: 'founder' },
        subjects: [{ kind: 'User', name: 'fay' }],
      },
    });
    const asFay = { headers: { 'impersonate-user': 'fay' } };
    const found = (name: string, more: object) =>
      api.call('POST', `${RBAC}/clusterroles`, { body: { metadata: { name }, ...more }, ...asFay });
    assert.equal((await found('plain', { rules })).code, 201);
    const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { gather: 'yes' } }] };
    assert.equal((await found('gathering', { rules, aggregationRule })).code, 403);
  });

  test('who may only change an object does not create it by an apply, though it goes away meanwhile', async () => {
    const MAPS = '/api/v1/namespaces/default/configmaps';
    const rules = [{ verbs: ['patch'], apiGroups: [''], resources: ['configmaps'] }];
    await api.call('POST', `${RBAC}/namespaces/default/roles`, { body: { metadata: { name: 'patcher' }, rules } });
    await api.call('POST', `${RBAC}/namespaces/default/rolebindings`, {
      body: {
        metadata: { name: 'patchers' },
        roleRef: { kind: 'Role', name: 'patcher' },
        subjects: [{ kind: 'User', name: 'pat' }],
      },
    });
    await api.call('POST', MAPS, { body: { metadata: { name: 'passing' } } });
    const sent = request({
      host: '127.0.0.1',
      port: api.port,
      ca: api.credentials.ca,
      method: 'PATCH',
      path: `${MAPS}/passing?fieldManager=pat`,
      headers: {
        authorization: `Bearer ${api.credentials.token}`,
        'impersonate-user': 'pat',
        'content-type': 'application/apply-patch+yaml',
        expect: '100-continue',
        'transfer-encoding': 'chunked',
      },
    });
    const answered = once(sent, 'response');
    sent.flushHeaders();
    // The request has been let in, and waits for its body.
    await once(sent, 'continue');
    await api.call('DELETE', `${MAPS}/passing`);
    sent.end('{apiVersion: v1, kind: ConfigMap, metadata: {name: passing}, data: {a: b}}');
    const [response] = await answered;
    response.resume();
    assert.equal(response.statusCode, 403);
    assert.equal((await api.call('GET', `${MAPS}/passing`)).code, 404);
  });

  test('who may do everything in a namespace does nothing outside of it by a path that leads through it', async () => {
    await api.call('POST', `${RBAC}/namespaces/default/rolebindings`, {
      body: {
        metadata: { name: 'masters' },
        roleRef: { kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [{ kind: 'User', name: 'nora' }],
      },
    });
    const asNora = { headers: { 'impersonate-user': 'nora' } };
    assert.equal((await api.call('GET', PODS, asNora)).code, 200);
    const through = async (path: string, body: object) =>
      (await api.call('POST', path.replace('/v1/', '/v1/namespaces/default/'), { body, ...asNora })).code;
    assert.equal(await through('/api/v1/nodes', { metadata: { name: 'n' } }), 404);
    const webhooks = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
    assert.equal(await through(webhooks, { metadata: { name: 'w' } }), 404);
    const review = { spec: { user: 'jane', resourceAttributes: { verb: 'get', resource: 'nodes' } } };
    assert.equal(await through('/apis/authorization.k8s.io/v1/subjectaccessreviews', review), 404);
    const applied = await api.call('PATCH', '/api/v1/configmaps/stray?fieldManager=me', {
      type: 'application/apply-patch+yaml',
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'stray' } },
    });
    assert.equal(applied.code, 404, 'an object of a namespace has one');
  });

  test('the kinds that are only answered offer nothing else', async () => {
    assert.equal((await api.call('GET', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews')).code, 405);
    assert.equal((await api.call('GET', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews/x')).code, 404);
  });

  test('a project is asked for as a namespace', async () => {
    const made = await api.call('POST', '/apis/project.openshift.io/v1/projectrequests', {
      body: { metadata: { name: 'mesh' }, displayName: 'The mesh' },
    });
    assert.deepEqual([made.code, made.body.kind], [201, 'Project']);
    const namespace = await api.call('GET', '/api/v1/namespaces/mesh');
    assert.equal(namespace.body.metadata?.annotations?.['openshift.io/display-name'], 'The mesh');
  });
});
