// SCRAM (RFC 5802, 7677): proves that both sides know a password without sending it. A pure conversation: what the client says
// first, its proof for the server's challenge, and whether the server has proved itself.

import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { OperatingError } from '#base/errors.ts';

export type ScramHash = 'sha256' | 'sha512';

const deriveKey = promisify(pbkdf2);
const MIN_ITERATIONS = 4096;
/** More is an attempt to keep us busy. */
const MAX_ITERATIONS = 1_000_000;

export class Scram {
  readonly #hash: ScramHash;
  readonly #password: string;
  readonly #bare: string;
  readonly #nonce: string;
  #expected: Buffer | undefined;

  constructor(hash: ScramHash, user: string, password: string, nonce: string) {
    this.#hash = hash;
    this.#password = password;
    this.#nonce = nonce;
    this.#bare = `n=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`;
  }

  get first(): string {
    return `n,,${this.#bare}`;
  }

  /** The answer to the server's salt and iterations. */
  async proof(challenge: string): Promise<string> {
    const fields = fieldsOf(challenge);
    const [nonce = '', salt = '', iterations] = [fields.get('r'), fields.get('s'), Number(fields.get('i'))];
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce) throw failed('its nonce does not follow ours');
    if (!(iterations >= MIN_ITERATIONS && iterations <= MAX_ITERATIONS))
      throw failed(`it asks for ${iterations} iterations`);
    const size = this.#hash === 'sha256' ? 32 : 64;
    const salted = await deriveKey(this.#password, Buffer.from(salt, 'base64'), iterations, size, this.#hash);
    const clientKey = this.#hmac(salted, 'Client Key');
    const withoutProof = `c=biws,r=${nonce}`;
    const message = `${this.#bare},${challenge},${withoutProof}`;
    const stored = createHash(this.#hash).update(clientKey).digest();
    const signature = this.#hmac(stored, message);
    this.#expected = this.#hmac(this.#hmac(salted, 'Server Key'), message);
    const proof = clientKey.map((byte, i) => byte ^ signature[i]!);
    return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`;
  }

  /** Throws when the server does not know the password. */
  verify(final: string): void {
    const fields = fieldsOf(final);
    if (fields.has('e')) throw failed(fields.get('e')!);
    const given = Buffer.from(fields.get('v') ?? '', 'base64');
    if (!this.#expected || given.length !== this.#expected.length || !timingSafeEqual(given, this.#expected))
      throw failed('the server does not prove that it knows the password');
  }

  #hmac(key: Uint8Array, message: string): Buffer {
    return createHmac(this.#hash, key).update(message).digest();
  }
}

const fieldsOf = (message: string): Map<string, string> =>
  new Map(message.split(',').map((part) => [part.slice(0, 1), part.slice(2)] as const));

const failed = (why: string) => new OperatingError('sasl', `cannot authenticate by SCRAM: ${why}`);
