// Generates TypeScript for the Envoy v3 messages a mesh needs, into packages/xds/gen, when it is missing or out of date.
// The .proto files are those that @grpc/grpc-js-xds ships; ROOTS names what we use, the rest follows by import.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOTS = [
  'envoy/service/discovery/v3/ads.proto',
  'envoy/service/status/v3/csds.proto',
  'envoy/config/bootstrap/v3/bootstrap.proto',
  'envoy/config/listener/v3/listener.proto',
  'envoy/config/route/v3/route.proto',
  'envoy/config/cluster/v3/cluster.proto',
  'envoy/config/endpoint/v3/endpoint.proto',
  'envoy/admin/v3/config_dump.proto',
  'envoy/extensions/access_loggers/file/v3/file.proto',
  'envoy/extensions/filters/http/cors/v3/cors.proto',
  'envoy/extensions/filters/http/fault/v3/fault.proto',
  'envoy/extensions/filters/http/router/v3/router.proto',
  'envoy/extensions/filters/listener/http_inspector/v3/http_inspector.proto',
  'envoy/extensions/filters/listener/original_dst/v3/original_dst.proto',
  'envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto',
  'envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto',
  'envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto',
  'envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.proto',
  'envoy/extensions/upstreams/http/v3/http_protocol_options.proto',
];

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const target = join(root, 'packages/xds/gen');
const stampFile = join(target, '.stamp');
const require = createRequire(join(root, 'package.json'));
const shipped = join(dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps');
const SEARCH = ['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((dir) => join(shipped, dir));

/** What the output depends on: this script and the versions of the three packages that make it. */
function stamp() {
  const versions = ['@grpc/grpc-js-xds', '@bufbuild/buf', '@bufbuild/protoc-gen-es'].map(
    (name) => JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version,
  );
  const script = readFileSync(fileURLToPath(import.meta.url));
  return createHash('sha256').update(script).update(versions.join()).digest('hex');
}

/** The shipped copy has CRLF line ends, and lacks what these edits add or no longer need. */
function repair(path, text) {
  const unix = text.replaceAll('\r', '');
  if (path === 'validate/validate.proto')
    return unix.replace(/message StringRules \{/, 'message StringRules {\n    optional bool ignore_empty = 26;');
  if (path === 'envoy/config/trace/v3/trace.proto') return unix.replace(/import .*opencensus\.proto";\n/, '');
  return unix;
}

function readProto(path) {
  for (const dir of SEARCH) {
    const file = join(dir, path);
    if (existsSync(file)) return repair(path, readFileSync(file, 'utf8'));
  }
  return undefined;
}

function closure() {
  const files = new Map();
  const pending = [...ROOTS];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (files.has(path) || path.startsWith('google/protobuf/')) continue;
    const text = readProto(path);
    if (text === undefined) throw new Error(`${path} is not among the protos that @grpc/grpc-js-xds ships`);
    files.set(path, text);
    for (const [, imported] of text.matchAll(/^import (?:public )?"([^"]+)";/gm)) pending.push(imported);
  }
  return files;
}

/** Generated code loads twice as fast with packages/xds/src/codegen.ts, which says why. */
function withOwnCodegen(text) {
  return text.replace(/^(import \{.*\} from )"@bufbuild\/protobuf\/codegenv2"/m, '$1"@varka/xds/codegen.ts"');
}

function generate() {
  const work = mkdtempSync(join(root, 'packages/xds/.gen-'));
  try {
    for (const [path, text] of closure()) {
      mkdirSync(dirname(join(work, 'proto', path)), { recursive: true });
      writeFileSync(join(work, 'proto', path), text);
    }
    const plugin = { local: 'protoc-gen-es', out: 'gen', strategy: 'all' };
    const opt = ['target=ts', 'import_extension=ts', 'erasable_syntax=true'];
    writeFileSync(join(work, 'buf.yaml'), JSON.stringify({ version: 'v2', modules: [{ path: 'proto' }] }));
    writeFileSync(join(work, 'buf.gen.yaml'), JSON.stringify({ version: 'v2', plugins: [{ ...plugin, opt }] }));
    const bin = join(root, 'node_modules/.bin');
    const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
    execFileSync(join(bin, 'buf'), ['generate'], { cwd: work, env, stdio: 'inherit' });
    for (const file of readdirSync(join(work, 'gen'), { recursive: true })) {
      if (!file.endsWith('_pb.ts')) continue;
      const path = join(work, 'gen', file);
      writeFileSync(path, withOwnCodegen(readFileSync(path, 'utf8')));
    }
    writeFileSync(join(work, 'gen/.stamp'), stamp());
    rmSync(target, { recursive: true, force: true });
    renameSync(join(work, 'gen'), target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const current = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp();
if (!current || process.argv.includes('--force')) {
  process.stdout.write('generating Envoy v3 types into packages/xds/gen …');
  const start = performance.now();
  generate();
  process.stdout.write(` done in ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
}
