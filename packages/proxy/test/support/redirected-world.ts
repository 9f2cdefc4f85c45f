// Runs in a network namespace of its own, where nftables redirects to the proxy: a pod in small. Prints what came of
// each connection as one line of JSON.
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { parseBootstrap } from '../../src/bootstrap.ts';
import { Logger } from '../../src/observe/logger.ts';
import { ProxyInstance } from '../../src/runtime/proxy-instance.ts';
import { exchange } from './backends.ts';
import { bootstrapJson } from './proxy.ts';
import {
  address,
  chain,
  HTTP_INSPECTOR,
  http,
  listener,
  ORIGINAL_DST_FILTER,
  originalDstCluster,
  routesTo,
  staticCluster,
  tcpProxy,
} from './resources.ts';

const SERVER = '10.9.0.1';

/** Without its mark the proxy's own connections would be redirected to it again. */
const bind = {
  upstream_bind_config: {
    source_address: { address: '0.0.0.0', port_value: 0 },
    socket_options: [{ level: '1', name: '36', int_value: '1337', state: 'STATE_PREBIND' }],
  },
};

const unbound = (name: string, host: string, port: number, filter: ReturnType<typeof http>, more = {}) =>
  listener(name, [chain(filter)], { address: address(port, host), bind_to_port: false, ...more });

async function listen(server: { listen(port: number, host: string, done: () => void): unknown }, port: number) {
  await new Promise<void>((resolve) => server.listen(port, SERVER, resolve));
}

async function main(): Promise<void> {
  const web = createHttpServer((request, response) => response.end(`web ${request.url} ${request.headers['x-via']}`));
  await listen(web, 80);
  for (const port of [81, 82]) {
    const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
    await listen(echo, port);
  }
  const viaRoutes = {
    ...routesTo('r', 'passthrough'),
    request_headers_to_add: [{ header: { key: 'x-via', value: 'proxy' } }],
  };
  const statics = {
    clusters: [
      originalDstCluster('passthrough', bind),
      staticCluster('tcp81', [], {
        ...bind,
        load_assignment: {
          cluster_name: 'tcp81',
          endpoints: [{ lb_endpoints: [{ endpoint: { address: address(81, SERVER) } }] }],
        },
      }),
    ],
    listeners: [
      listener('virtualOutbound', [], {
        address: address(15001, '0.0.0.0'),
        use_original_dst: true,
        listener_filters: [ORIGINAL_DST_FILTER],
        default_filter_chain: chain(tcpProxy('passthrough', { stat_prefix: 'fall-through' })),
      }),
      unbound('0.0.0.0_80', '0.0.0.0', 80, http(viaRoutes), { listener_filters: [HTTP_INSPECTOR] }),
      unbound(`${SERVER}_81`, SERVER, 81, tcpProxy('tcp81', { stat_prefix: 'exact' })),
      unbound('0.0.0.0_81', '0.0.0.0', 81, tcpProxy('nowhere', { stat_prefix: 'wildcard' })),
    ],
  };
  const proxy = new ProxyInstance({
    bootstrap: parseBootstrap(JSON.stringify(bootstrapJson(statics)), 'test'),
    logger: new Logger('off', () => undefined),
    openLog: () => ({ write: () => undefined, flushSync: () => undefined }),
  });
  await proxy.start();
  const outcome = async (port: number, text: string, host = SERVER, end = true): Promise<string> =>
    exchange(port, text, { end, host }).catch((error: Error) => error.message);
  const results = {
    http: (await outcome(80, 'GET /p HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n', SERVER, false)).split(
      '\r\n\r\n',
    )[1],
    exact: await outcome(81, 'exact'),
    fallThrough: await outcome(82, 'fall through'),
    direct: await outcome(15001, 'loop', '127.0.0.1'),
    tcp: Object.fromEntries([...proxy.stats.tcp].map(([name, stats]) => [name, stats.downstreamCxTotal])),
    noneHealthy: proxy.stats.cluster('passthrough').upstreamCxNoneHealthy,
  };
  process.stdout.write(`${JSON.stringify(results)}\n`);
  process.exit(0);
}

await main();
