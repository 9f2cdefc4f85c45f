// networking.k8s.io/v1 Ingress and IngressClass, and the Ingress of extensions/v1beta1 that came before.
import type { KubeObject, StatusCause } from '../../object.ts';
import { invalid, required } from '../names.ts';
import { portProblems, record, records } from '../pod-template.ts';
import { ageColumn, type Column, type KindRow, nameColumn, pathColumn } from '../row.ts';
import { int, intOrString, list, obj, oneOfWords, type Schema, setOf, str } from '../schema.ts';

const resource = obj({ apiGroup: str(), kind: str(), name: str() }, ['kind', 'name']);

const backend = obj(
  {
    service: obj(
      {
        name: str('Name of the service.'),
        port: obj({ name: str('Name of the port.'), number: int('Number of the port.') }, [], 'One of the two.'),
      },
      ['name'],
      'A service of the same namespace.',
    ),
    resource,
  },
  [],
  'Where requests go.',
);

const legacyBackend = obj(
  { serviceName: str('Name of the service.'), servicePort: intOrString('Its port.'), resource },
  [],
  'Where requests go.',
);

const PLAIN = 'ImplementationSpecific';
const PATH_TYPES = ['Exact', 'Prefix', PLAIN] as const;

const rulesOf = (target: Schema, pathType: Schema, required_: readonly string[]): Schema =>
  list(
    obj({
      host: str('Host of the requests; any unless given. "*.example.com" is any name one level below.'),
      http: obj(
        {
          paths: list(
            obj({ path: str('Path of the requests.'), pathType, backend: target }, required_),
            'The longest match wins.',
          ),
        },
        ['paths'],
      ),
    }),
    'Which requests go where.',
  );

const tls = list(obj({ hosts: setOf(str()), secretName: str('Secret with the certificate.') }), 'TLS, by host.');

const status = obj({
  loadBalancer: obj({
    ingress: list(
      obj({
        ip: str(),
        hostname: str(),
        ports: list(obj({ port: int(), protocol: str(), error: str() }, ['port', 'protocol'])),
      }),
      'Where it is reached.',
    ),
  }),
});

const columns: readonly Column[] = [
  nameColumn,
  {
    name: 'Class',
    type: 'string',
    description: 'Who serves it.',
    // As in Kubernetes, whose older way of naming the class, an annotation, is not shown.
    cell: (ingress) => record(ingress['spec'])['ingressClassName'] ?? '<none>',
  },
  {
    name: 'Hosts',
    type: 'string',
    description: 'Hosts it is for.',
    cell: (ingress) => hostsText(records(record(ingress['spec'])['rules']).map((rule) => String(rule['host'] ?? ''))),
  },
  {
    name: 'Address',
    type: 'string',
    description: 'Where it is reached.',
    cell: (ingress) =>
      records(record(record(ingress['status'])['loadBalancer'])['ingress'])
        .map((one) => one['ip'] ?? one['hostname'] ?? '')
        .join(','),
  },
  {
    name: 'Ports',
    type: 'string',
    description: 'Ports it is reached on.',
    cell: (ingress) => (records(record(ingress['spec'])['tls']).length > 0 ? '80, 443' : '80'),
  },
  ageColumn,
];

function hostsText(hosts: readonly string[]): string {
  const named = hosts.map((host) => (host === '' ? '*' : host));
  if (named.length === 0) return '*';
  return named.length <= 3 ? named.join(',') : `${named.slice(0, 3).join(',')} + ${named.length - 3} more...`;
}

export const ingressRow: KindRow = {
  group: 'networking.k8s.io',
  kind: 'Ingress',
  plural: 'ingresses',
  shortNames: ['ing'],
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  subresources: { status: true },
  schema: obj({
    spec: obj(
      {
        ingressClassName: str('Name of the IngressClass that serves it.'),
        defaultBackend: { ...backend, description: 'Where requests go that no rule is for.' },
        tls,
        rules: rulesOf(backend, oneOfWords(PATH_TYPES, 'How the path is compared.'), ['backend', 'pathType']),
      },
      [],
      'What is wanted.',
    ),
    status,
  }),
  columns,
  rules: { validate: ingressProblems },
};

/** pkg/apis/networking/validation ValidateIngress. */
function ingressProblems(ingress: KubeObject): StatusCause[] {
  const spec = record(ingress['spec']);
  const rules = records(spec['rules']);
  const fallback = spec['defaultBackend'];
  const causes: StatusCause[] = [];
  if (rules.length === 0 && fallback === undefined)
    causes.push(invalid('spec', [], 'either `defaultBackend` or `rules` must be specified'));
  if (fallback !== undefined) causes.push(...backendProblems(record(fallback), 'spec.defaultBackend'));
  for (const [index, rule] of rules.entries()) {
    for (const [place, one] of records(record(rule['http'])['paths']).entries()) {
      const at = `spec.rules[${index}].http.paths[${place}]`;
      const path = String(one['path'] ?? '');
      const mayBeEmpty = one['pathType'] === 'ImplementationSpecific';
      if (!path.startsWith('/') && !(mayBeEmpty && path === ''))
        causes.push(invalid(`${at}.path`, path, 'must be an absolute path'));
      causes.push(...backendProblems(record(one['backend']), `${at}.backend`));
    }
  }
  return causes;
}

function backendProblems(one: Record<string, unknown>, at: string): StatusCause[] {
  if (one['resource'] !== undefined) {
    return one['service'] === undefined ? [] : [invalid(at, '', 'cannot set both resource and service backends')];
  }
  const service = record(one['service']);
  if ((service['name'] ?? '') === '') return [required(`${at}.service.name`)];
  const { name, number } = record(service['port']);
  if (name !== undefined && number !== undefined)
    return [invalid(`${at}.service.port`, '', 'cannot set both port name & port number')];
  if (name === undefined && number === undefined)
    return [required(`${at}.service.port`, 'port name or number is required')];
  return portProblems(name ?? number, `${at}.service.port.${name === undefined ? 'number' : 'name'}`);
}

type Fields = Record<string, unknown>;

const eachPath = (rules: unknown, change: (path: Fields) => Fields): Fields[] =>
  records(rules).map((rule) =>
    rule['http'] === undefined
      ? rule
      : { ...rule, http: { paths: records(record(rule['http'])['paths']).map((path) => change(path)) } },
  );

function modernBackend(old: unknown): Fields {
  const { serviceName, servicePort, ...rest } = record(old);
  if (serviceName === undefined) return rest;
  const port = typeof servicePort === 'number' ? { number: servicePort } : { name: servicePort };
  return { ...rest, service: { name: serviceName, port: servicePort === undefined ? {} : port } };
}

/** The path type is left out where it says what there was before there were any. */
function oldPath({ pathType, backend: target, ...path }: Fields): Fields {
  return { ...path, ...(pathType === PLAIN ? {} : { pathType }), backend: oldBackend(target) };
}

function oldBackend(modern: unknown): Fields {
  const { service, ...rest } = record(modern);
  if (service === undefined) return rest;
  const { name, number } = record(record(service)['port']);
  const port = number ?? name;
  return { ...rest, serviceName: record(service)['name'], ...(port === undefined ? {} : { servicePort: port }) };
}

/** extensions/v1beta1 wrote a backend as serviceName and servicePort, and knew no path types. No short name: one is enough. */
const { shortNames: _, ...nameless } = ingressRow;
export const legacyIngressRow: KindRow = {
  ...nameless,
  group: 'extensions',
  versions: ['v1beta1'],
  storageVersion: 'v1beta1',
  schema: obj({
    spec: obj({
      ingressClassName: str('Name of the IngressClass that serves it.'),
      backend: { ...legacyBackend, description: 'Where requests go that no rule is for.' },
      tls,
      rules: rulesOf(
        legacyBackend,
        oneOfWords(PATH_TYPES, 'How the path is compared; as it always was unless given.'),
        ['backend'],
      ),
    }),
    status,
  }),
  view: {
    of: ingressRow,
    keep(object) {
      const { backend: fallback, rules, ...spec } = record(object['spec']);
      return {
        ...object,
        spec: {
          ...spec,
          ...(fallback === undefined ? {} : { defaultBackend: modernBackend(fallback) }),
          ...(rules === undefined
            ? {}
            : {
                rules: eachPath(rules, (path) => ({
                  pathType: PLAIN,
                  ...path,
                  backend: modernBackend(path['backend']),
                })),
              }),
        },
      };
    },
    show(object) {
      const { defaultBackend: fallback, rules, ...spec } = record(object['spec']);
      return {
        ...object,
        spec: {
          ...spec,
          ...(fallback === undefined ? {} : { backend: oldBackend(fallback) }),
          ...(rules === undefined ? {} : { rules: eachPath(rules, oldPath) }),
        },
      };
    },
  },
};

export const ingressClassRow: KindRow = {
  group: 'networking.k8s.io',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  namespaced: false,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  schema: obj({
    spec: obj({
      controller: str('Who serves Ingresses of this class.'),
      parameters: obj({ apiGroup: str(), kind: str(), name: str(), scope: str(), namespace: str() }, ['kind', 'name']),
    }),
  }),
  columns: [
    nameColumn,
    pathColumn('Controller', '.spec.controller', 'Who serves Ingresses of this class.'),
    {
      name: 'Parameters',
      type: 'string',
      description: 'Parameters of the controller.',
      cell: (one) => {
        const { apiGroup, kind, name } = record(record(one['spec'])['parameters']);
        return kind === undefined ? '<none>' : `${kind}${apiGroup === undefined ? '' : `.${apiGroup}`}/${name}`;
      },
    },
    ageColumn,
  ],
};
