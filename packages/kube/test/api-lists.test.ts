import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type ApiFixture, startApi } from './support/api-fixture.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

describe('lists and watches', () => {
  let api: ApiFixture;
  before(async () => {
    api = await startApi({}, { historySize: 50 });
    await api.call('POST', '/api/v1/namespaces', { body: { metadata: { name: 'other' } } });
    for (const [name, labels] of [
      ['a', { app: 'web', env: 'prod' }],
      ['b', { app: 'web', env: 'test' }],
      ['c', { app: 'db' }],
      ['d', {}],
    ] as const) {
      await api.call('POST', CONFIG_MAPS, { body: { metadata: { name, labels } } });
    }
    await api.call('POST', '/api/v1/namespaces/other/configmaps', {
      body: { metadata: { name: 'z', labels: { app: 'web' } } },
    });
  });
  after(() => api.close());

  const names = async (query: string, path = CONFIG_MAPS) => {
    const { code, body, text } = await api.call('GET', `${path}?${query}`);
    assert.equal(code, 200, text);
    return body.items.map((item) => item.metadata?.name).join(',');
  };
  const create = (name: string, labels = {}) => api.call('POST', CONFIG_MAPS, { body: { metadata: { name, labels } } });
  const relabel = (name: string, labels: object) =>
    api.call('PATCH', `${CONFIG_MAPS}/${name}`, {
      body: { metadata: { labels } },
      type: 'application/merge-patch+json',
    });

  test('label selectors', async () => {
    const cases: [string, string][] = [
      ['app=web', 'a,b'],
      ['app==web,env!=prod', 'b'],
      ['app!=web', 'c,d'],
      ['app in (web,db)', 'a,b,c'],
      ['app notin (web)', 'c,d'],
      ['env', 'a,b'],
      ['!env', 'c,d'],
      ['app in (web),env=test', 'b'],
      ['', 'a,b,c,d'],
    ];
    for (const [selector, expected] of cases)
      assert.equal(await names(`labelSelector=${encodeURIComponent(selector)}`), expected, selector);
    const bad = await api.call('GET', `${CONFIG_MAPS}?labelSelector=${encodeURIComponent('app in web')}`);
    assert.equal(bad.code, 400);
    assert.match(bad.body.message, /app in web/);
  });

  test('field selectors', async () => {
    assert.equal(await names('fieldSelector=metadata.name%3Db'), 'b');
    assert.equal(
      await names('fieldSelector=metadata.namespace%3Dother,metadata.name%21%3Dq', '/api/v1/configmaps'),
      'z',
    );
    const unknown = await api.call('GET', `${CONFIG_MAPS}?fieldSelector=spec.colour%3Dred`);
    assert.deepEqual([unknown.code, unknown.body.message], [400, 'field label not supported: spec.colour']);
  });

  test('all namespaces at once', async () => {
    assert.equal(await names('', '/api/v1/configmaps'), 'a,b,c,d,z');
  });

  test('pages are of one moment, whatever happens between them', async () => {
    const first = await api.call('GET', `${CONFIG_MAPS}?limit=2`);
    const { resourceVersion, continue: next, remainingItemCount } = first.body.metadata as Record<string, unknown>;
    assert.equal(remainingItemCount, 2);
    await create('bb');
    await api.call('DELETE', `${CONFIG_MAPS}/bb`);
    await create('e');
    await relabel('c', { fresh: 'yes' });
    const second = await api.call('GET', `${CONFIG_MAPS}?limit=5&continue=${next}`);
    assert.equal(second.body.metadata?.resourceVersion, resourceVersion);
    assert.deepEqual(
      second.body.items.map((item) => [item.metadata?.name, item.metadata?.labels?.['fresh']]),
      [
        ['c', undefined],
        ['d', undefined],
      ],
    );
    await api.call('DELETE', `${CONFIG_MAPS}/e`);
    const bad = await api.call('GET', `${CONFIG_MAPS}?continue=nonsense`);
    assert.equal(bad.code, 400);
  });

  test('a page that waited too long is expired', async () => {
    const first = await api.call('GET', `${CONFIG_MAPS}?limit=1`);
    for (let n = 0; n < 120; n++) await relabel('d', { n: `${n}` });
    const { code, body } = await api.call(
      'GET',
      `${CONFIG_MAPS}?limit=1&continue=${first.body.metadata?.['continue' as never]}`,
    );
    assert.deepEqual([code, body.reason], [410, 'Expired']);
  });

  test('tables', async () => {
    const list = await api.call('GET', `${CONFIG_MAPS}?labelSelector=app%3Dweb`, { accept: TABLE });
    assert.equal(list.body.kind, 'Table');
    const { columnDefinitions, rows } = list.body as unknown as {
      columnDefinitions: { name: string }[];
      rows: { cells: unknown[]; object: { kind: string; metadata: { name: string } } }[];
    };
    assert.deepEqual(
      columnDefinitions.map((column) => column.name),
      ['Name', 'Data', 'Age'],
    );
    assert.deepEqual(
      rows.map((row) => [row.cells[0], row.cells[1], row.object.kind, row.object.metadata.name]),
      [
        ['a', 0, 'PartialObjectMetadata', 'a'],
        ['b', 0, 'PartialObjectMetadata', 'b'],
      ],
    );
    const one = await api.call('GET', `${CONFIG_MAPS}/a?includeObject=Object`, { accept: TABLE });
    assert.equal((one.body['rows'] as { object: { kind: string } }[])[0]?.object.kind, 'ConfigMap');
  });

  test('YAML, when asked for', async () => {
    const { headers, text } = await api.call('GET', `${CONFIG_MAPS}/a`, { accept: 'application/yaml' });
    assert.equal(headers['content-type'], 'application/yaml');
    assert.match(text, /^apiVersion: v1\nkind: ConfigMap\n/);
  });

  test('a watch from a list goes on where the list ended', async () => {
    const list = await api.call('GET', CONFIG_MAPS);
    await create('w1');
    const events = api.watch(`${CONFIG_MAPS}?watch=true&resourceVersion=${list.body.metadata?.resourceVersion}`);
    assert.deepEqual(await next(events), ['ADDED', 'w1']);
    await relabel('w1', { x: 'y' });
    assert.deepEqual(await next(events), ['MODIFIED', 'w1']);
    await api.call('DELETE', `${CONFIG_MAPS}/w1`);
    assert.deepEqual(await next(events), ['DELETED', 'w1']);
    await events.return(undefined);
  });

  test('a watch without a revision begins with what is there; a name selects one object', async () => {
    const all = api.watch(`${CONFIG_MAPS}?watch=1`);
    assert.deepEqual(
      [await next(all), await next(all)],
      [
        ['ADDED', 'a'],
        ['ADDED', 'b'],
      ],
    );
    await all.return(undefined);
    const one = api.watch(`${CONFIG_MAPS}?watch=1&fieldSelector=metadata.name%3Dc`);
    assert.deepEqual(await next(one), ['ADDED', 'c']);
    await one.return(undefined);
  });

  test('leaving a selection looks like a deletion, entering it like a creation', async () => {
    const { body } = await api.call('GET', CONFIG_MAPS);
    const events = api.watch(
      `${CONFIG_MAPS}?watch=1&labelSelector=tier%3Dfront&resourceVersion=${body.metadata?.resourceVersion}`,
    );
    await relabel('d', { tier: 'front' });
    await relabel('d', { tier: 'back' });
    assert.deepEqual(
      [await next(events), await next(events)],
      [
        ['ADDED', 'd'],
        ['DELETED', 'd'],
      ],
    );
    await events.return(undefined);
  });

  test('a watch from too long ago says so, one from the future too', async () => {
    for (let n = 0; n < 120; n++) await relabel('d', { n: `m${n}` });
    const events = api.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=1`);
    const { value } = await events.next();
    assert.equal(value?.type, 'ERROR');
    assert.deepEqual([value?.object['code'], value?.object['reason']], [410, 'Expired']);
    assert.equal((await events.next()).done, true);
    const future = await api.call('GET', `${CONFIG_MAPS}?watch=1&resourceVersion=99999999`);
    assert.equal(future.code, 504);
    assert.match(future.body.message, /Too large resource version/);
  });

  test('a watch in tables, a streaming list, and a watch with an end', async () => {
    const tables = api.watch(`${CONFIG_MAPS}?watch=1&fieldSelector=metadata.name%3Da`, TABLE);
    const { value } = await tables.next();
    assert.equal(value?.object.kind, 'Table');
    await tables.return(undefined);
    const streaming = api.watch(
      `${CONFIG_MAPS}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&fieldSelector=metadata.name%3Da`,
    );
    assert.deepEqual(await next(streaming), ['ADDED', 'a']);
    const { value: mark } = await streaming.next();
    assert.equal(mark?.type, 'BOOKMARK');
    assert.equal(mark?.object.metadata?.annotations?.['k8s.io/initial-events-end'], 'true');
    await streaming.return(undefined);
    const short = api.watch(`${CONFIG_MAPS}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dnone`);
    assert.equal((await short.next()).done, true);
  });
});

async function next(
  events: AsyncGenerator<{ type: string; object: { metadata?: { name?: string } } }>,
): Promise<[string | undefined, string | undefined]> {
  const { value } = await events.next();
  return [value?.type, value?.object.metadata?.name];
}
