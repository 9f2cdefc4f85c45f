// What stands between client and server in the side-by-side, each with one worker and the same job.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MeasuredProcess } from './measured-process.ts';

export interface Contender {
  readonly name: string;
  /** Undefined when it can run; otherwise what is missing and how to get it. */
  readonly missing: string | undefined;
  start(directory: string, port: number, upstreamPort: number): Promise<MeasuredProcess>;
}

function onPath(program: string): boolean {
  const places = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];
  return places.some((place) => existsSync(join(place, program)));
}

export function missingProgram(program: string, package_: string): string | undefined {
  return onPath(program) ? undefined : `${program} is not installed; on Debian or Ubuntu: apt-get install ${package_}`;
}

function nginxPreamble(directory: string): string {
  // As root nginx would drop to a user who may not read the directory.
  const user = process.getuid?.() === 0 ? 'user root; ' : '';
  return `${user}worker_processes 1; daemon off; pid ${directory}/nginx.pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000; tcp_nodelay on;
  client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy; fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi; scgi_temp_path ${directory}/scgi;`;
}

function startNginx(directory: string, config: string, port: number): Promise<MeasuredProcess> {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'nginx.conf');
  writeFileSync(file, config);
  return MeasuredProcess.start('nginx', ['-p', directory, '-c', file, '-e', 'stderr'], port);
}

/** The server behind all of them. */
export function startServer(directory: string, port: number): Promise<MeasuredProcess> {
  if (missingProgram('nginx', 'nginx') !== undefined) {
    const file = fileURLToPath(new URL('./server.ts', import.meta.url));
    return MeasuredProcess.start(process.execPath, [file, String(port)], port);
  }
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, '16k'), 'x'.repeat(16 * 1024));
  const config = `${nginxPreamble(directory)}
  default_type text/plain;
  server { listen 127.0.0.1:${port} reuseport;
    location / { return 200 "hello from the server behind the proxy, in sixty-four bytes or so\\n"; }
    location = /16k { root ${directory}; } }
}`;
  return startNginx(directory, config, port);
}

const NGINX: Contender = {
  name: 'nginx',
  missing: missingProgram('nginx', 'nginx'),
  start(directory, port, upstreamPort) {
    const config = `${nginxPreamble(directory)}
  upstream service { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 100000000; }
  server { listen 127.0.0.1:${port};
    location / {
      proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_set_header X-Request-Id $request_id; proxy_set_header X-Forwarded-Proto http;
    } }
}`;
    return startNginx(directory, config, port);
  },
};

const HAPROXY: Contender = {
  name: 'haproxy',
  missing: missingProgram('haproxy', 'haproxy'),
  start(directory, port, upstreamPort) {
    mkdirSync(directory, { recursive: true });
    const file = join(directory, 'haproxy.cfg');
    writeFileSync(
      file,
      `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:${port}
  unique-id-format %{+X}o%ci:%cp_%fi:%fp_%Ts_%rt:%pid
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Request-Id %[unique-id]
  default_backend service
backend service
  http-reuse always
  server one 127.0.0.1:${upstreamPort} maxconn 4096
`,
    );
    return MeasuredProcess.start('haproxy', ['-db', '-q', '-f', file], port);
  },
};

const MAIN = fileURLToPath(import.meta.resolve('@varka/proxy/main.ts'));

const VARKA: Contender = {
  name: 'varka',
  missing: existsSync(MAIN) ? undefined : `${MAIN} is not there`,
  start(_directory, port, upstreamPort) {
    return MeasuredProcess.start(
      process.execPath,
      [MAIN, '--config-yaml', JSON.stringify(bootstrap(port, upstreamPort))],
      port,
    );
  },
};

/** A static Envoy bootstrap: the same job as the others have. */
function bootstrap(port: number, upstreamPort: number): object {
  const address = (portValue: number) => ({ socket_address: { address: '127.0.0.1', port_value: portValue } });
  return {
    node: { id: 'bench', cluster: 'bench' },
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: address(port),
          filter_chains: [
            {
              filters: [
                {
                  name: 'envoy.filters.network.http_connection_manager',
                  typed_config: {
                    '@type':
                      'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
                    stat_prefix: 'in',
                    generate_request_id: true,
                    normalize_path: true,
                    route_config: {
                      name: 'all',
                      virtual_hosts: [
                        {
                          name: 'all',
                          domains: ['*'],
                          routes: [{ match: { prefix: '/' }, route: { cluster: 'service', timeout: '0s' } }],
                        },
                      ],
                    },
                    http_filters: [
                      {
                        name: 'envoy.filters.http.router',
                        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
                      },
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
      clusters: [
        {
          name: 'service',
          type: 'STATIC',
          connect_timeout: '5s',
          lb_policy: 'ROUND_ROBIN',
          load_assignment: {
            cluster_name: 'service',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(upstreamPort) } }] }],
          },
        },
      ],
    },
  };
}

export const CONTENDERS: readonly Contender[] = [VARKA, NGINX, HAPROXY];
