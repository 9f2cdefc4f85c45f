// Tokens of service accounts: JSON Web Tokens (RFC 7519) signed with the API server's own key.
import { createPrivateKey, createPublicKey, type KeyObject, randomUUID, sign, verify } from 'node:crypto';
import { isRecord } from '../../kinds/conform.ts';
import { record } from '../../kinds/pod-template.ts';
import type { KubeObject } from '../../object.ts';
import { StatusError } from '../../status-error.ts';
import type { Store } from '../../store/store.ts';
import { knownUser, serviceAccountGroups, serviceAccountName, type User } from './user.ts';

const ISSUER = 'https://kubernetes.default.svc.cluster.local';
/** Kubernetes' bounds of `expirationSeconds`. */
const SHORTEST = 600;
const LONGEST = 2 ** 32;

export class ServiceAccountTokens {
  readonly #store: Store;
  readonly #now: () => Date;
  readonly #key: KeyObject;
  readonly #publicKey: KeyObject;

  /** `key` is an ECDSA P-256 key, as PEM. */
  constructor(store: Store, key: string, now: () => Date) {
    this.#store = store;
    this.#now = now;
    this.#key = createPrivateKey(key);
    this.#publicKey = createPublicKey(this.#key);
  }

  /** The answer to a TokenRequest (authentication.k8s.io/v1) for this account. */
  issue(account: KubeObject, request: KubeObject): KubeObject {
    const { namespace = '', name = '', uid = '' } = account.metadata ?? {};
    const spec = record(request['spec']);
    if (spec['boundObjectRef'] !== undefined)
      throw StatusError.badRequest('spec.boundObjectRef is not supported: a token here ends with its account alone');
    const seconds = Number(spec['expirationSeconds'] ?? 3600);
    if (seconds < SHORTEST || seconds > LONGEST) {
      const why =
        seconds < SHORTEST
          ? 'may not specify a duration less than 10 minutes'
          : 'may not specify a duration larger than 2^32 seconds';
      throw StatusError.invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', [
        { reason: 'FieldValueInvalid', field: 'spec.expirationSeconds', message: `Invalid value: ${seconds}: ${why}` },
      ]);
    }
    const audiences = Array.isArray(spec['audiences']) && spec['audiences'].length > 0 ? spec['audiences'] : [ISSUER];
    const now = Math.floor(this.#now().getTime() / 1000);
    const claims = {
      aud: audiences,
      exp: now + seconds,
      iat: now,
      iss: ISSUER,
      jti: randomUUID(),
      'kubernetes.io': { namespace, serviceaccount: { name, uid } },
      nbf: now,
      sub: serviceAccountName(namespace, name),
    };
    const expirationTimestamp = new Date((now + seconds) * 1000).toISOString().replace('.000', '');
    return {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name, namespace },
      spec: { ...spec, audiences, expirationSeconds: seconds },
      status: { token: this.#signed(claims), expirationTimestamp },
    };
  }

  /** The account that a token of ours, for this API, was issued to; undefined when it is not good, or no longer. */
  userOf(token: string): User | undefined {
    const claims = this.#verified(token);
    if (claims === undefined) return undefined;
    const now = this.#now().getTime() / 1000;
    if (typeof claims['exp'] !== 'number' || claims['exp'] <= now) return undefined;
    if (!Array.isArray(claims['aud']) || !claims['aud'].includes(ISSUER)) return undefined;
    const { namespace, serviceaccount } = record(claims['kubernetes.io']);
    const { name, uid } = record(serviceaccount);
    if (typeof namespace !== 'string' || typeof name !== 'string' || typeof uid !== 'string') return undefined;
    // A token ends with its account, even if another of that name comes after it.
    if (this.#store.get('serviceaccounts', namespace, name)?.metadata?.uid !== uid) return undefined;
    return knownUser(serviceAccountName(namespace, name), serviceAccountGroups(namespace), { uid });
  }

  #signed(claims: object): string {
    const head = `${encoded({ alg: 'ES256', typ: 'JWT' })}.${encoded(claims)}`;
    const signature = sign('sha256', Buffer.from(head), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return `${head}.${signature.toString('base64url')}`;
  }

  #verified(token: string): Record<string, unknown> | undefined {
    const [header, claims, signature, ...rest] = token.split('.');
    if (header === undefined || claims === undefined || signature === undefined || rest.length > 0) return undefined;
    const good = verify(
      'sha256',
      Buffer.from(`${header}.${claims}`),
      { key: this.#publicKey, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    );
    if (!good) return undefined;
    // What we signed is JSON.
    const parsed: unknown = JSON.parse(Buffer.from(claims, 'base64url').toString());
    return isRecord(parsed) ? parsed : undefined;
  }
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
