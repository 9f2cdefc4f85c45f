// Files in, in every way kubectl has; objects out, in every form.
import { type Chapter, row } from './line.ts';

const configMap = (name: string, data: string, labels = '') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}${labels === '' ? '' : `, labels: {${labels}}`}}\ndata: {${data}}\n`;

export const files: Chapter = {
  about: 'files, folders and standard input',
  files: {
    'one.yaml': configMap('one', 'key: a'),
    'two.yaml': `${configMap('two', 'key: a')}---\n${configMap('three', 'key: a')}...\n---\n`,
    'one-changed.yaml': configMap('one', 'key: b'),
    'folder/four.yml': configMap('four', 'key: a'),
    'folder/five.json':
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"five","annotations":null},"data":{"key":"a"}}',
    'folder/deep/six.yaml': configMap('six', 'key: a'),
    'kustom/kustomization.yaml': 'namePrefix: my-\nresources: [seven.yaml]\n',
    'kustom/seven.yaml': configMap('seven', 'key: a'),
    'set/a.yaml': configMap('set-a', 'key: a', 'set: s'),
    'set/b.yaml': configMap('set-b', 'key: a', 'set: s'),
    'bad.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: {key: 1}\n',
    'unknown.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndatum: {key: a}\n',
    'nameless.yaml': 'kind: ConfigMap\nmetadata: {name: bad}\n',
  },
  lines: [
    { run: 'create -f one.yaml', out: 'configmap/one created\n' },
    { run: 'create -f one.yaml', fails: true, err: /configmaps "one" already exists/ },
    {
      run: 'apply -f one.yaml -f two.yaml',
      out: /configmap\/one configured\nconfigmap\/two created\nconfigmap\/three created\n/,
      err: /missing the kubectl\.kubernetes\.io\/last-applied-configuration annotation/,
    },
    { run: 'apply -f folder', out: 'configmap/five created\nconfigmap/four created\n' },
    { run: 'apply -R -f folder', out: /configmap\/six created/ },
    { run: 'apply -f -', input: configMap('piped', 'key: a'), out: 'configmap/piped created\n' },
    { run: 'apply -k kustom', out: 'configmap/my-seven created\n' },
    { run: 'kustomize kustom', out: /name: my-seven/ },
    { run: 'diff -f one-changed.yaml', fails: true, out: /^- {2}key: a\n\+ {2}key: b$/m },
    { run: 'diff --server-side -f one-changed.yaml', fails: true, out: /^- {2}key: a\n\+ {2}key: b$/m },
    { run: 'replace -f one-changed.yaml', out: 'configmap/one replaced\n' },
    { run: 'diff -f one-changed.yaml', out: '' },
    { run: 'replace --force -f one.yaml', out: /configmap "one" deleted(.*\n)+configmap\/one replaced/ },
    { run: 'apply -f set -l set=s', out: 'configmap/set-a created\nconfigmap/set-b created\n' },
    {
      run: 'apply -f set/a.yaml --prune -l set=s --prune-allowlist=core/v1/ConfigMap',
      out: /set-a unchanged\nconfigmap\/set-b pruned/,
    },
    { run: 'apply -f bad.yaml', fails: true, err: /cannot unmarshal number into Go struct field ConfigMap\.data/ },
    { run: 'apply -f unknown.yaml', fails: true, err: /strict decoding error: unknown field "datum"/ },
    {
      run: 'apply -f unknown.yaml --validate=warn',
      out: 'configmap/bad created\n',
      err: /Warning: unknown field "datum"/,
    },
    { run: 'apply -f nameless.yaml', fails: true, err: /apiVersion not set/ },
    { run: 'apply -f missing.yaml', fails: true, err: /the path "missing.yaml" does not exist/ },
    { run: 'apply one.yaml', fails: true, err: /Unexpected args/ },
    { run: 'apply set-last-applied -f one.yaml --create-annotation', out: 'configmap/one configured\n' },
    { run: 'apply view-last-applied cm two', out: /name: two/ },
    {
      run: 'create -f one.yaml --edit',
      env: { KUBE_EDITOR: 'sed -i "s/name: one/name: edited/"' },
      out: /edited created/,
    },
    { run: 'edit cm one', env: { KUBE_EDITOR: 'sed -i "s/key: a/key: edited/"' }, out: 'configmap/one edited\n' },
    { run: 'edit cm one', env: { KUBE_EDITOR: 'true' }, err: /no changes made/ },
    { run: "get cm one -o jsonpath='{.data.key}'", out: 'edited' },
    { run: 'patch cm one -p \'{"data":{"other":"1"}}\'', out: 'configmap/one patched\n' },
    { run: 'patch cm one --type=merge -p \'{"data":{"other":null}}\'', out: 'configmap/one patched\n' },
    {
      run: 'patch cm one --type=json -p \'[{"op":"replace","path":"/data/key","value":"z"}]\'',
      out: 'configmap/one patched\n',
    },
    {
      run: 'patch cm one --type=json -p \'[{"op":"remove","path":"/data/none"}]\'',
      fails: true,
      err: /JSON patch step 0/,
    },
    { run: 'patch cm one -p \'{"data":{"key":"z"}}\'', out: 'configmap/one patched (no change)\n' },
    { run: "get cm one -o jsonpath='{.data}'", out: '{"key":"z"}' },
  ],
};

export const forms: Chapter = {
  about: 'get in every form',
  lines: [
    { run: 'get cm one -o name', out: 'configmap/one\n' },
    { run: 'get cm one -o yaml', out: /^apiVersion: v1\ndata:\n {2}key: z\nkind: ConfigMap\n/ },
    { run: 'get cm one -o json', out: /"kind": "ConfigMap"/ },
    {
      run: 'get cm one two -o jsonpath=\'{range .items[*]}{.metadata.name}={.data.key}{"\\n"}{end}\'',
      out: 'one=z\ntwo=a\n',
    },
    { run: 'get cm -o jsonpath=\'{.items[?(@.data.key=="z")].metadata.name}\'', out: 'one' },
    { run: "get cm -o jsonpath='{ .items..metadata.name }'", out: /one .*two/ },
    { run: 'get cm one -o custom-columns=NAME:.metadata.name,KEY:.data.key', out: 'NAME   KEY\none    z\n' },
    { run: 'get cm --sort-by=.metadata.name -o name --no-headers', out: /edited\n(.*\n)*configmap\/two\n$/ },
    { run: 'get cm --sort-by=.metadata.creationTimestamp --no-headers', out: /^\S+ +1 +\S+$/m },
    { run: 'get configmaps,secrets', out: /configmap\/one(.*\n)+.*secret\/token/ },
    { run: 'get cm one --show-kind', out: row('configmap/one', '1') },
    { run: 'get cm --chunk-size=1 -o name', out: /configmap\/two/ },
    { run: 'get cm -A --field-selector metadata.name=one', out: row('shop', 'one', '1') },
    { run: 'get -f one.yaml', out: row('one', '1') },
    { run: 'get cm/one secret/token -o name', out: 'configmap/one\nsecret/token\n' },
    { run: 'get cm none', fails: true, err: /configmaps "none" not found/ },
    { run: 'get cm none --ignore-not-found', out: '' },
    {
      run: 'get cm --watch --output-watch-events --request-timeout=2s',
      out: /^EVENT +NAME +DATA +AGE\n(ADDED +\S+ +\d+ +\S+\n)+/,
    },
    { run: 'describe cm one', out: /key:\n----\nz\n/ },
    { run: 'delete cm one', out: /^configmap "one" deleted/ },
    { run: 'delete -f two.yaml', out: /"two" deleted(.*\n)configmap "three" deleted/ },
    { run: 'delete cm -l set=s', out: /"set-a" deleted/ },
    { run: 'delete -R -f folder', out: /"six" deleted/ },
    { run: 'delete cm one', fails: true, err: /configmaps "one" not found/ },
    { run: 'delete cm one --ignore-not-found', out: '' },
    { run: 'delete cm --all', out: /"piped" deleted/ },
  ],
};

const applied = (data: string) => configMap('joint', data);

export const serverSide: Chapter = {
  about: 'server-side apply',
  files: {
    'joint.yaml': applied('a: "1", b: "1"'),
    'less.yaml': applied('a: "2"'),
    'more.yaml': applied('a: "3", c: "1"'),
  },
  lines: [
    { run: 'apply --server-side -f joint.yaml', out: 'configmap/joint serverside-applied\n' },
    { run: 'get cm joint -o yaml', out: /^apiVersion: v1\ndata:\n(?:(?!.*managedFields).*\n)+$/ },
    { run: 'get cm joint -o yaml --show-managed-fields', out: /manager: kubectl\n {4}operation: Apply\n/ },
    { run: 'apply --server-side -f less.yaml', out: 'configmap/joint serverside-applied\n' },
    { run: "get cm joint -o jsonpath='{.data}'", out: '{"a":"2"}' },
    {
      run: 'apply --server-side --field-manager=other -f more.yaml',
      fails: true,
      err: /Apply failed with 1 conflict: conflict with "kubectl": \.data\.a\n/,
    },
    {
      run: 'apply --server-side --field-manager=other --force-conflicts -f more.yaml',
      out: 'configmap/joint serverside-applied\n',
    },
    { run: 'apply --server-side -f less.yaml', fails: true, err: /conflict with "other": \.data\.a/ },
    {
      run: "get cm joint -o jsonpath='{.metadata.managedFields[*].manager} {.data}'",
      out: /^(kubectl )?other \{"a":"3","c":"1"\}$/,
    },
    { run: 'delete cm joint', out: /deleted/ },
    { run: 'apply -f joint.yaml', out: 'configmap/joint created\n' },
    { run: 'apply --server-side -f less.yaml', out: 'configmap/joint serverside-applied\n' },
    { run: "get cm joint -o jsonpath='{.data}'", out: '{"a":"2"}' },
    { run: 'apply --server-side --dry-run=server -f more.yaml', out: /serverside-applied \(server dry run\)/ },
    { run: 'delete cm joint', out: /deleted/ },
  ],
};
