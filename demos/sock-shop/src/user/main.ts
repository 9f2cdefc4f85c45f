// The user service: who the customers are, where they live and how they pay.
import { servicePort } from '../web/environment.ts';
import { goError, goHealth, goMissing, logged } from '../web/go-dialect.ts';
import { json, RequestError, type Route, type ShopReply, type ShopRequest, serveShop, text } from '../web/service.ts';
import { type Entity, type EntityKind, Users } from './users.ts';

/** Under which name others reach this service, for the links in its answers. */
const users = new Users(process.env['USER_LINK_HOST'] ?? 'user');

const hal = (value: unknown): ShopReply => json(200, value, { 'content-type': 'application/hal+json' });
const embedded = (kind: EntityKind, entities: readonly Entity[]): ShopReply => hal({ _embedded: { [kind]: entities } });

function credentials({ headers }: ShopRequest): [username: string, password: string] {
  const encoded = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(headers.authorization ?? '')?.[1];
  const [, username, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded ?? '', 'base64').toString('utf8')) ?? [];
  if (username === undefined || password === undefined) throw new RequestError(401, 'Unauthorized');
  return [username, password];
}

async function login(request: ShopRequest): Promise<ShopReply> {
  const [username, password] = credentials(request);
  return hal({
    user: await logged(
      { method: 'Login' },
      () => users.login(username, password),
      () => ({}),
    ),
  });
}

async function register(request: ShopRequest): Promise<ShopReply> {
  const body = await request.json();
  const fields = { method: 'Register', username: text(body['username']), email: text(body['email']) };
  return hal({
    id: await logged(
      fields,
      () => users.register(body),
      (result) => ({ result }),
    ),
  });
}

function entityRoutes(
  kind: EntityKind,
  path: string,
  methods: { readonly get: string; readonly post: string },
  add: (request: ShopRequest) => Promise<string>,
): Route[] {
  return [
    {
      method: 'GET',
      path,
      handle: async () =>
        embedded(
          kind,
          await logged(
            { method: methods.get, id: 'all' },
            () => users.all(kind),
            (all) => ({ result: all.length }),
          ),
        ),
    },
    {
      method: 'GET',
      path: `${path}/:id`,
      handle: async ({ params: { id = '' } }) =>
        hal(
          await logged(
            { method: methods.get, id },
            () => users.one(kind, id),
            () => ({ result: 1 }),
          ),
        ),
    },
    {
      method: 'POST',
      path,
      handle: async (request) =>
        hal({
          id: await logged(
            { method: methods.post },
            () => add(request),
            (result) => ({ result }),
          ),
        }),
    },
    {
      method: 'DELETE',
      path: `${path}/:id`,
      handle: async ({ params: { id = '' } }) => {
        await logged(
          { method: 'Delete', entity: path.slice(1), id },
          () => users.remove(kind, id),
          () => ({}),
        );
        return hal({ status: true });
      },
    },
  ];
}

function ofCustomer(kind: 'address' | 'card', path: string): Route {
  return {
    method: 'GET',
    path: `/customers/:id/${path}`,
    handle: async ({ params: { id = '' } }) =>
      embedded(
        kind,
        await logged(
          { method: 'GetUsers', id, attr: path },
          () => users.of(id, kind),
          (all) => ({ result: all.length }),
        ),
      ),
  };
}

serveShop({
  name: 'user',
  port: servicePort(),
  failed: goError,
  missing: goMissing,
  started: (port) => console.log(`transport=HTTP port=:${port}`),
  routes: [
    { method: 'GET', path: '/login', handle: login },
    { method: 'POST', path: '/register', handle: register },
    ...entityRoutes('customer', '/customers', { get: 'GetUsers', post: 'PostUser' }, async (request) =>
      users.register(await request.json()),
    ),
    ofCustomer('address', 'addresses'),
    ofCustomer('card', 'cards'),
    ...entityRoutes('address', '/addresses', { get: 'GetAddresses', post: 'PostAddress' }, async (request) =>
      users.addAddress(await request.json()),
    ),
    ...entityRoutes('card', '/cards', { get: 'GetCards', post: 'PostCard' }, async (request) =>
      users.addCard(await request.json()),
    ),
    {
      method: 'GET',
      path: '/health',
      handle: async () =>
        goHealth([
          ['user', true],
          ['user-db', await users.database.isHealthy()],
        ]),
    },
  ],
});
