// Who is asking: a bearer token that we gave out, a service account's token, or a client certificate of our CA.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { ServiceAccountTokens } from './access/service-account-tokens.ts';
import { knownUser, type User } from './access/user.ts';

export interface Token {
  readonly token: string;
  readonly user: string;
  readonly groups: readonly string[];
}

export class Authenticator {
  readonly #tokens: readonly { readonly digest: Buffer; readonly user: User }[];
  readonly #serviceAccounts: ServiceAccountTokens;

  constructor(tokens: readonly Token[], serviceAccounts: ServiceAccountTokens) {
    this.#tokens = tokens.map(({ token, user, groups }) => ({ digest: digest(token), user: knownUser(user, groups) }));
    this.#serviceAccounts = serviceAccounts;
  }

  /** Undefined for nobody we know. */
  userOf(request: IncomingMessage): User | undefined {
    const bearer = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (bearer !== undefined) return this.userOfToken(bearer);
    const { socket } = request;
    if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
    // As in Kubernetes: the common name is the user, the organizations are the groups.
    const { CN, O } = socket.getPeerCertificate().subject ?? {};
    const [name] = listOf(CN);
    return name === undefined ? undefined : knownUser(name, listOf(O));
  }

  userOfToken(token: string): User | undefined {
    const found = digest(token);
    return this.#tokens.find((one) => timingSafeEqual(one.digest, found))?.user ?? this.#serviceAccounts.userOf(token);
  }
}

const listOf = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

/** Digests are of one length, which timingSafeEqual needs, and tell nothing of the token's. */
const digest = (token: string): Buffer => createHash('sha256').update(token).digest();
