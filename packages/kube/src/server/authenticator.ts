// Who is asking: a bearer token that we gave out, or a client certificate of our CA.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

export interface Token {
  readonly token: string;
  readonly user: string;
}

export class Authenticator {
  readonly #tokens: readonly { readonly digest: Buffer; readonly user: string }[];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens.map(({ token, user }) => ({ digest: digest(token), user }));
  }

  /** The user's name, or undefined for nobody we know. */
  userOf(request: IncomingMessage): string | undefined {
    const bearer = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (bearer !== undefined) {
      const found = digest(bearer);
      return this.#tokens.find((one) => timingSafeEqual(one.digest, found))?.user;
    }
    const { socket } = request;
    if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
    const name = socket.getPeerCertificate().subject?.CN;
    return Array.isArray(name) ? name[0] : name;
  }
}

/** Digests are of one length, which timingSafeEqual needs, and tell nothing of the token's. */
const digest = (token: string): Buffer => createHash('sha256').update(token).digest();
