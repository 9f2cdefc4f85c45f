// maistra.io/v2 ServiceMeshControlPlane: what OpenShift Service Mesh users configure a mesh with.
import { type KindRow, nameColumn, pathColumn } from '../row.ts';
import { anything, bool, int, list, map, obj, str } from '../schema.ts';

const free = anything('Taken as it comes.');

export const serviceMeshControlPlaneRow: KindRow = {
  group: 'maistra.io',
  kind: 'ServiceMeshControlPlane',
  plural: 'servicemeshcontrolplanes',
  shortNames: ['smcp'],
  categories: ['maistra-io'],
  namespaced: true,
  versions: ['v2'],
  storageVersion: 'v2',
  decoding: 'lenient',
  subresources: { status: true },
  schema: obj({
    spec: obj(
      {
        version: str('Version of the mesh, such as v2.4.'),
        mode: str('MultiTenant or ClusterWide.'),
        profiles: list(str(), 'Profiles the rest is based on.'),
        techPreview: free,
        cluster: free,
        general: obj({ logging: obj({ componentLevels: map(str()), logAsJSON: bool() }), validationMessages: bool() }),
        policy: obj({ type: str(), mixer: free, remote: free }),
        telemetry: obj({ type: str(), mixer: free, remote: free }),
        tracing: obj({
          type: str('Jaeger or None.'),
          sampling: int('Share of traced requests, in hundredths of a percent.'),
        }),
        meshConfig: free,
        proxy: obj(
          {
            networking: obj({
              trafficControl: obj({
                inbound: obj({
                  includedPorts: list(str()),
                  excludedPorts: list({ type: 'integer' }),
                  interceptionMode: str(),
                }),
                outbound: obj({
                  policy: str('ALLOW_ANY or REGISTRY_ONLY.'),
                  includedIPRanges: list(str()),
                  excludedIPRanges: list(str()),
                  excludedPorts: list({ type: 'integer' }),
                }),
              }),
              clusterDomain: str(),
              connectionTimeout: str(),
              maxConnectionAge: str(),
              initialization: free,
              protocol: free,
              dns: free,
            }),
            accessLogging: free,
            concurrency: int(),
            envoyMetricsService: free,
            injection: obj({
              autoInject: bool(),
              alwaysInjectSelector: list(free),
              neverInjectSelector: list(free),
              injectedAnnotations: map(str()),
            }),
            logging: free,
            adminPort: int(),
            runtime: free,
          },
          [],
          'The sidecars.',
        ),
        security: obj({
          trust: obj({ domain: str(), additionalDomains: list(str()) }),
          dataPlane: obj({ mtls: bool('Ask for mutual TLS.'), automtls: bool(), tls: free }),
          controlPlane: obj({ mtls: bool(), certProvider: str(), tls: free }),
          certificateAuthority: free,
          identity: free,
          manageNetworkPolicy: bool(),
          jwksResolverCA: str(),
        }),
        gateways: obj({
          enabled: bool(),
          ingress: free,
          egress: free,
          additionalIngress: anything(),
          additionalEgress: anything(),
          openshiftRoute: obj({ enabled: bool() }),
        }),
        addons: obj(
          { grafana: free, jaeger: free, kiali: free, prometheus: free, stackdriver: free, '3scale': free },
          [],
          'What comes with the mesh.',
        ),
        runtime: free,
        extensionProviders: list(free),
      },
      [],
      'How the mesh is to be.',
    ),
    status: anything('How the mesh is.'),
  }),
  columns: [
    nameColumn,
    pathColumn('Ready', '.status.annotations.readyComponentCount', 'Components that are ready, of all.'),
    pathColumn('Status', '.status.conditions[?(@.type=="Ready")].reason', 'Why it is ready, or not.'),
    pathColumn('Profiles', '.status.appliedSpec.profiles', 'Profiles in force.'),
    pathColumn('Version', '.status.chartVersion', 'Version in force.'),
    pathColumn('Age', '.metadata.creationTimestamp', 'When the object was created.', 'date'),
    pathColumn(
      'Image Registry',
      '.status.appliedSpec.runtime.defaults.container.imageRegistry',
      'Where images come from.',
      'string',
      1,
    ),
  ],
};
