// Owns how the hash of a password looks in definitions: as base64, whatever made it, since RabbitMQ
// refuses a whole file over one that is not. Never hashes.

import type { JsonObject } from '../../util/json/json.ts';
import { HASHING_SCRYPT } from '../access/password.ts';

/** What every hash by scrypt begins with. */
const SCRYPT_PREFIX = '$scrypt$';

/** A hash with how it was made. */
export function passwordToJson(hash: string, algorithm: string): JsonObject {
  const text = algorithm === HASHING_SCRYPT ? Buffer.from(hash).toString('base64') : hash;
  return { password_hash: text, hashing_algorithm: algorithm };
}

/** The hash back from its JSON, which may also have it as it is. */
export function passwordFromJson(text: string, algorithm: string): string {
  if (algorithm !== HASHING_SCRYPT || text.startsWith(SCRYPT_PREFIX)) return text;
  return Buffer.from(text, 'base64').toString();
}

/** RabbitMQ's algorithm before 3.6, and since. */
export const MD5 = 'rabbit_password_hashing_md5';
export const SHA256 = 'rabbit_password_hashing_sha256';

/** RabbitMQ's hashes by their bytes: four of salt, and those of the digest. */
const HASHING_BY_BYTES: ReadonlyMap<number, string> = new Map([
  [4 + 16, MD5],
  [4 + 32, SHA256],
  [4 + 64, 'rabbit_password_hashing_sha512'],
]);

/** How a hash was made, by its length; null: no algorithm makes such a one. */
export function hashingOf(hash: string): string | null {
  return HASHING_BY_BYTES.get(Buffer.from(hash, 'base64').length) ?? null;
}
