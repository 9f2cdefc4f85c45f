// The catalogue: the socks, their tags and their pictures.
import { Database, type Row } from '../web/database.ts';
import { servicePort } from '../web/environment.ts';
import { goError, goHealth, goMissing, logged } from '../web/go-dialect.ts';
import { json, RequestError, type ShopReply, serveShop } from '../web/service.ts';
import { picture } from './picture.ts';
import { imageUrls, SOCKS, TAGS } from './socks.ts';

interface Sock {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly imageUrl: readonly [string, string];
  readonly price: number;
  readonly count: number;
  readonly tag: readonly string[];
}

const database = new Database('catalogue-db', 3306, async (db) => {
  await db.run(
    'CREATE TABLE IF NOT EXISTS sock (sock_id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, ' +
      'price DOUBLE PRECISION NOT NULL, count INTEGER NOT NULL, image_url_1 TEXT NOT NULL, image_url_2 TEXT NOT NULL)',
  );
  await db.run('CREATE TABLE IF NOT EXISTS tag (tag_id INTEGER PRIMARY KEY, name TEXT NOT NULL)');
  await db.run(
    'CREATE TABLE IF NOT EXISTS sock_tag (sock_id TEXT NOT NULL, tag_id INTEGER NOT NULL, PRIMARY KEY (sock_id, tag_id))',
  );
  for (const [index, name] of TAGS.entries()) {
    await db.run('INSERT INTO tag (tag_id, name) VALUES ($1, $2) ON CONFLICT (tag_id) DO NOTHING', [index + 1, name]);
  }
  for (const sock of SOCKS) {
    await db.run(
      'INSERT INTO sock (sock_id, name, description, price, count, image_url_1, image_url_2) ' +
        'VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (sock_id) DO NOTHING',
      [sock.id, sock.name, sock.description, sock.price, sock.count, ...imageUrls(sock)],
    );
    for (const tag of sock.tags) {
      await db.run('INSERT INTO sock_tag (sock_id, tag_id) VALUES ($1, $2) ON CONFLICT (sock_id, tag_id) DO NOTHING', [
        sock.id,
        TAGS.indexOf(tag) + 1,
      ]);
    }
  }
});

const COLUMNS = 'sock_id, name, description, price, count, image_url_1, image_url_2';

function sockOf(row: Row, tags: readonly Row[]): Sock {
  const id = String(row['sock_id']);
  return {
    id,
    name: String(row['name']),
    description: String(row['description']),
    imageUrl: [String(row['image_url_1']), String(row['image_url_2'])],
    price: Number(row['price']),
    count: Number(row['count']),
    tag: tags.filter((tag) => tag['sock_id'] === id).map(({ name }) => String(name)),
  };
}

async function socks(wanted: readonly string[]): Promise<Sock[]> {
  const rows = await database.query(`SELECT ${COLUMNS} FROM sock ORDER BY sock_id`);
  const tags = await database.query(
    'SELECT sock_id, name FROM sock_tag JOIN tag ON sock_tag.tag_id = tag.tag_id ORDER BY tag.tag_id',
  );
  const all = rows.map((row) => sockOf(row, tags));
  return wanted.length === 0 ? all : all.filter(({ tag }) => tag.some((name) => wanted.includes(name)));
}

const SORT_KEYS: Readonly<Record<string, (a: Sock, b: Sock) => number>> = {
  name: (a, b) => a.name.localeCompare(b.name),
  price: (a, b) => a.price - b.price,
  count: (a, b) => a.count - b.count,
};

const tagsOf = (query: URLSearchParams): string[] => (query.get('tags') ?? '').split(',').filter((tag) => tag !== '');

/** As strconv.Atoi: what is no number counts as 0, and a page or size of 0 is empty. */
const numberOf = (text: string | null, fallback: number): number => {
  if (text === null || text === '') return fallback;
  return /^[+-]?\d+$/.test(text) ? Number(text) : 0;
};

async function list(query: URLSearchParams): Promise<ShopReply> {
  const tags = tagsOf(query);
  const order = (query.get('sort') ?? 'id').toLowerCase();
  const page = numberOf(query.get('page'), 1);
  const size = numberOf(query.get('size'), 10);
  const found = await logged(
    { method: 'List', tags: tags.join(', '), order, pageNum: page, pageSize: size },
    async () => {
      const all = await socks(tags);
      const compare = Object.hasOwn(SORT_KEYS, order) ? SORT_KEYS[order] : undefined;
      if (compare !== undefined) all.sort(compare);
      return page < 1 || size < 1 ? [] : all.slice((page - 1) * size, page * size);
    },
    (result) => ({ result: result.length }),
  );
  return json(200, found);
}

async function size(query: URLSearchParams): Promise<ShopReply> {
  const tags = tagsOf(query);
  const count = await logged(
    { method: 'Count', tags: tags.join(', ') },
    async () => (await socks(tags)).length,
    (result) => ({ result }),
  );
  return json(200, { size: count, err: null });
}

async function one(id: string): Promise<ShopReply> {
  const sock = await logged(
    { method: 'Get', id },
    async () => {
      const found = (await socks([])).find((each) => each.id === id);
      if (found === undefined) throw new RequestError(404, 'not found');
      return found;
    },
    (result) => ({ sock: result.id }),
  );
  return json(200, sock);
}

async function tags(): Promise<ShopReply> {
  const names = await logged(
    { method: 'Tags' },
    async () => (await database.query('SELECT name FROM tag ORDER BY tag_id')).map(({ name }) => String(name)),
    (result) => ({ result: result.length }),
  );
  return json(200, { tags: names, err: null });
}

function image(name: string): ShopReply {
  const [, slug, view] = /^(.+)-(pair|close)\.svg$/.exec(name) ?? [];
  const sock = SOCKS.find((each) => each.slug === slug);
  if (sock === undefined || view === undefined) return goMissing();
  const body = picture(sock.name, sock.design, view === 'pair' ? 'pair' : 'close');
  return { status: 200, headers: { 'content-type': 'image/svg+xml', 'cache-control': 'max-age=3600' }, body };
}

serveShop({
  name: 'catalogue',
  port: servicePort(),
  failed: goError,
  missing: goMissing,
  started: (port) => console.log(`transport=HTTP port=:${port}`),
  routes: [
    { method: 'GET', path: '/catalogue', handle: ({ query }) => list(query) },
    { method: 'GET', path: '/catalogue/size', handle: ({ query }) => size(query) },
    { method: 'GET', path: '/catalogue/images/:name', handle: ({ params }) => image(params['name'] ?? '') },
    { method: 'GET', path: '/catalogue/:id', handle: ({ params }) => one(params['id'] ?? '') },
    { method: 'GET', path: '/tags', handle: tags },
    {
      method: 'GET',
      path: '/health',
      handle: () =>
        logged(
          { method: 'Health' },
          async () =>
            goHealth([
              ['catalogue', true],
              ['catalogue-db', await database.isHealthy()],
            ]),
          () => ({ result: 2 }),
        ),
    },
  ],
});
