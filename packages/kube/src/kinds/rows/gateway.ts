// networking.istio.io Gateway: every field of Istio 1.29.
import { istioRow } from '../istio-row.ts';
import { bool, list, map, obj, oneOfWords, type Schema, str, uint32 } from '../schema.ts';

const TLS_VERSIONS = ['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3'] as const;

export const serverTls = obj(
  {
    httpsRedirect: bool('True: answer plain requests with a redirect to https.'),
    mode: oneOfWords(
      ['PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL'],
      'What to do with TLS.',
    ),
    credentialName: str('Secret with the certificate.'),
    credentialNames: list(str()),
    caCertCredentialName: str(),
    serverCertificate: str(),
    privateKey: str(),
    caCertificates: str(),
    caCrl: str(),
    tlsCertificates: list(obj({ serverCertificate: str(), privateKey: str(), caCertificates: str() })),
    subjectAltNames: list(str()),
    verifyCertificateSpki: list(str()),
    verifyCertificateHash: list(str()),
    minProtocolVersion: oneOfWords(TLS_VERSIONS),
    maxProtocolVersion: oneOfWords(TLS_VERSIONS),
    cipherSuites: list(str()),
  },
  [],
  'TLS of the server.',
);

const spec: Schema = obj(
  {
    selector: map(str(), 'Labels of the gateway pods.'),
    servers: list(
      obj(
        {
          port: obj(
            {
              number: uint32('Port number.'),
              protocol: str('HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS.'),
              name: str('Name of the port.'),
              targetPort: uint32(),
            },
            ['number', 'protocol', 'name'],
            'Port to listen on.',
          ),
          hosts: list(str(), 'Hosts that are let in; "*" is all, "namespace/host" asks for rules of that namespace.'),
          tls: serverTls,
          name: str(),
          bind: str('Address to listen on.'),
          defaultEndpoint: str(),
        },
        ['port', 'hosts'],
      ),
      'What the gateway listens for.',
    ),
  },
  [],
  'An entrance to the mesh.',
);

export const gatewayRow = istioRow({ kind: 'Gateway', plural: 'gateways', shortNames: ['gw'] }, spec, []);
