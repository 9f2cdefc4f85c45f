// The admin endpoint's pages: path, what it shows, and whether it changes anything (then only POST will do).
import { LEVELS, type Level } from '../observe/logger.ts';
import type { ProxyInstance } from '../runtime/proxy-instance.ts';

export interface Reply {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

/** What a page may ask of the program around the proxy. */
export interface AdminActions {
  /** Ends the process, after the reply is out. */
  readonly quit: () => void;
  readonly version: string;
}

export interface PageContext {
  readonly proxy: ProxyInstance;
  readonly query: URLSearchParams;
  readonly actions: AdminActions;
}

export interface Page {
  readonly path: string;
  readonly mutates: boolean;
  readonly help: string;
  answer(context: PageContext): Reply | Promise<Reply>;
}

const JSON_TYPE = 'application/json';
const OK: Reply = { status: 200, body: 'OK\n' };

/** RE2 syntax, as everywhere: a pattern in a scrape must not be able to stall the proxy either. */
async function filtered(context: PageContext) {
  const { stats } = await import('./stat-lines.ts');
  const filter = context.query.get('filter');
  const used = context.query.has('usedonly');
  let list = [...stats(context.proxy)];
  if (used) list = list.filter((stat) => stat.value !== 0);
  if (filter === null) return { kind: 'stats', list } as const;
  const { RE2JS } = await import('re2js');
  try {
    const pattern = RE2JS.compile(filter);
    return { kind: 'stats', list: list.filter((stat) => pattern.test(stat.name)) } as const;
  } catch (error) {
    return { kind: 'bad', reply: { status: 400, body: `invalid regex: ${(error as Error).message}\n` } } as const;
  }
}

async function statsPage(context: PageContext, format: string | null): Promise<Reply> {
  const found = await filtered(context);
  if (found.kind === 'bad') return found.reply;
  const { prometheusText, statsJson, statsText } = await import('./stats-text.ts');
  if (format === 'json') return { status: 200, body: statsJson(found.list), type: JSON_TYPE };
  if (format === 'prometheus')
    return { status: 200, body: prometheusText(found.list), type: 'text/plain; version=0.0.4' };
  if (format !== null && format !== 'text')
    return { status: 400, body: 'usage: /stats?format=(text|json|prometheus)\n' };
  return { status: 200, body: statsText(found.list) };
}

function serverInfo({ proxy, actions }: PageContext): Reply {
  const info = {
    version: actions.version,
    state: proxy.state,
    uptime_current_epoch: `${Math.floor((proxy.now() - proxy.startedAt) / 1000)}s`,
    uptime_all_epochs: `${Math.floor((proxy.now() - proxy.startedAt) / 1000)}s`,
    node: { id: proxy.bootstrap.proto.node?.id ?? '', cluster: proxy.bootstrap.proto.node?.cluster ?? '' },
    command_line_options: { concurrency: 1, log_level: proxy.logger.level },
  };
  return { status: 200, body: JSON.stringify(info, undefined, 1), type: JSON_TYPE };
}

function listenersPage({ proxy, query }: PageContext): Reply {
  const rows = proxy.listeners.listeners.map(({ table }) => ({ name: table.name, ...proxy.listeners.boundTo(table) }));
  if (query.get('format') !== 'json')
    return { status: 200, body: rows.map((row) => `${row.name}::${row.address}:${row.port}\n`).join('') };
  const statuses = rows.map(({ name, address, port }) => ({
    name,
    local_address: { socket_address: { address, port_value: port } },
  }));
  return { status: 200, body: JSON.stringify({ listener_statuses: statuses }, undefined, 1), type: JSON_TYPE };
}

async function clustersPage({ proxy, query }: PageContext): Promise<Reply> {
  const { clustersJson, clustersText } = await import('./cluster-page.ts');
  if (query.get('format') === 'json') return { status: 200, body: clustersJson(proxy), type: JSON_TYPE };
  return { status: 200, body: clustersText(proxy) };
}

async function configDumpPage({ proxy, query }: PageContext): Promise<Reply> {
  const { configDump } = await import('./config-dump.ts');
  const resource = query.get('resource') ?? undefined;
  const dump = configDump(proxy, { includeEds: query.has('include_eds'), resource });
  return { status: 200, body: JSON.stringify(dump, undefined, 1), type: JSON_TYPE };
}

function isLevel(text: string): text is Level {
  return (LEVELS as readonly string[]).includes(text);
}

/** `?level=debug`; components have no levels of their own here. */
function loggingPage({ proxy, query }: PageContext): Reply {
  const level = query.get('level');
  if (level !== null && !isLevel(level))
    return { status: 400, body: `unknown level ${JSON.stringify(level)}: use one of ${LEVELS.join(', ')}\n` };
  if (level !== null) proxy.logger.level = level;
  return { status: 200, body: `active loggers:\n  all: ${proxy.logger.level}\n` };
}

export const PAGES: readonly Page[] = [
  {
    path: '/ready',
    mutates: false,
    help: 'print the server state, 200 when LIVE, else 503',
    answer: ({ proxy }) => ({ status: proxy.state === 'LIVE' ? 200 : 503, body: `${proxy.state}\n` }),
  },
  { path: '/stats', mutates: false, help: 'counters and gauges', answer: (c) => statsPage(c, c.query.get('format')) },
  {
    path: '/stats/prometheus',
    mutates: false,
    help: 'counters and gauges in Prometheus format',
    answer: (context) => statsPage(context, 'prometheus'),
  },
  { path: '/config_dump', mutates: false, help: 'the configuration in force', answer: configDumpPage },
  { path: '/clusters', mutates: false, help: 'upstream cluster status', answer: clustersPage },
  { path: '/listeners', mutates: false, help: 'listener addresses', answer: listenersPage },
  { path: '/server_info', mutates: false, help: 'version, state and uptime', answer: serverInfo },
  {
    path: '/certs',
    mutates: false,
    help: 'certificates (none: TLS is not terminated here)',
    answer: () => ({ status: 200, body: '{"certificates":[]}\n', type: JSON_TYPE }),
  },
  { path: '/logging', mutates: true, help: 'show or change the log level: ?level=debug', answer: loggingPage },
  {
    path: '/drain_listeners',
    mutates: true,
    help: 'stop accepting and let connections finish',
    answer({ proxy, query }) {
      for (const option of ['inboundonly', 'graceful'])
        if (query.has(option)) return { status: 400, body: `?${option} is not supported\n` };
      void proxy.drain(proxy.drainTimeMs);
      return OK;
    },
  },
  {
    path: '/healthcheck/fail',
    mutates: true,
    help: 'answer /ready with 503',
    answer({ proxy }) {
      proxy.healthcheckFailed = true;
      return OK;
    },
  },
  {
    path: '/healthcheck/ok',
    mutates: true,
    help: 'take back /healthcheck/fail',
    answer({ proxy }) {
      proxy.healthcheckFailed = false;
      return OK;
    },
  },
  {
    path: '/quitquitquit',
    mutates: true,
    help: 'exit the server',
    answer({ actions }) {
      setImmediate(actions.quit);
      return OK;
    },
  },
  {
    path: '/help',
    mutates: false,
    help: 'print this list',
    answer: () => ({ status: 200, body: PAGES.map((page) => `${page.path}: ${page.help}\n`).join('') }),
  },
];

export function findPage(path: string): Page | undefined {
  return PAGES.find((page) => page.path === path || (path === '/' && page.path === '/help'));
}
