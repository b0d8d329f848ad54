// Owns how passwords are hashed and compared with a hash. Never keeps a password.

import { createHash, randomBytes, scrypt, scryptSync, timingSafeEqual } from 'node:crypto';
import { Refusal } from '../errors.ts';

/** How the passwords of new users are hashed. */
export const HASHING_SCRYPT = 'leveret_password_hashing_scrypt';

/** RabbitMQ's algorithms: base64 of four bytes of salt, and the digest of salt and password. */
const SALTED_DIGESTS: Readonly<Record<string, string>> = {
  rabbit_password_hashing_sha256: 'sha256',
  rabbit_password_hashing_sha512: 'sha512',
  rabbit_password_hashing_md5: 'md5',
};
const DIGEST_SALT_BYTES = 4;

/*
 * A hash by scrypt says by itself how it was made:
 *
 *   $scrypt$ln=14,r=8,p=1$salt$hash      ln: log2 of the cost; salt and hash in base64
 */
const SCRYPT_FORMAT = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/=]+)\$([\w+/=]+)$/;
/** 16 MiB and some 50 ms for each password that is hashed or compared. */
const SCRYPT_LOG_COST = 14;
/** More than this would need more than 512 MiB at once. */
const SCRYPT_LOG_COST_MAX = 19;
const SCRYPT_BLOCK = 8;
const SCRYPT_SALT_BYTES = 16;
const SCRYPT_HASH_BYTES = 32;

/**
 * So many passwords are hashed at a time, on threads of the pool of four that also writes commits to
 * the disk; others wait.
 */
const RUNNING_MAX = 2;

interface ScryptParameters {
  readonly logCost: number;
  readonly block: number;
  readonly parallel: number;
  readonly salt: Buffer;
}

/** Hashes a new password, without holding up the event loop. */
export async function hashPassword(password: string, logCost = SCRYPT_LOG_COST): Promise<string> {
  const parameters = newParameters(logCost);
  return describe(parameters, await runScrypt(password, parameters, SCRYPT_HASH_BYTES));
}

/** The same at once: for the start, when nothing else has to run. */
export function hashPasswordNow(password: string, logCost = SCRYPT_LOG_COST): string {
  const parameters = newParameters(logCost);
  const options = optionsOf(parameters);
  return describe(parameters, scryptSync(password, parameters.salt, SCRYPT_HASH_BYTES, options));
}

/** Whether a password is the one that was hashed. A hash that is empty is that of no password. */
export async function isPassword(
  password: string,
  hash: string,
  algorithm: string,
): Promise<boolean> {
  const digest = SALTED_DIGESTS[algorithm];
  if (digest !== undefined) return isDigestOf(password, hash, digest);
  const parsed = parseScrypt(hash);
  if (parsed === null) return false;
  const { expected } = parsed;
  return timingSafeEqual(await runScrypt(password, parsed, expected.length), expected);
}

/** Refuses a hash that no password could ever be compared with. An empty one is fine. */
export function checkPasswordHash(hash: string, algorithm: string): void {
  const digest = SALTED_DIGESTS[algorithm];
  if (digest === undefined && algorithm !== HASHING_SCRYPT) {
    const known = [...Object.keys(SALTED_DIGESTS), HASHING_SCRYPT].join(', ');
    throw new Refusal('invalid', `unknown hashing algorithm '${algorithm}': known are ${known}`);
  }
  if (hash === '') return;
  const sound =
    digest === undefined
      ? parseScrypt(hash) !== null
      : Buffer.from(hash, 'base64').length ===
        DIGEST_SALT_BYTES + createHash(digest).digest().length;
  if (sound) return;
  throw new Refusal('invalid', `the password hash is not one of ${algorithm}`);
}

function isDigestOf(password: string, hash: string, digest: string): boolean {
  const bytes = Buffer.from(hash, 'base64');
  const salt = bytes.subarray(0, DIGEST_SALT_BYTES);
  const found = createHash(digest).update(salt).update(password).digest();
  const expected = bytes.subarray(DIGEST_SALT_BYTES);
  return found.length === expected.length && timingSafeEqual(found, expected);
}

function newParameters(logCost: number): ScryptParameters {
  return { logCost, block: SCRYPT_BLOCK, parallel: 1, salt: randomBytes(SCRYPT_SALT_BYTES) };
}

function describe({ logCost, block, parallel, salt }: ScryptParameters, hash: Buffer): string {
  const cost = `ln=${logCost},r=${block},p=${parallel}`;
  return `$scrypt$${cost}$${salt.toString('base64')}$${hash.toString('base64')}`;
}

function parseScrypt(text: string): (ScryptParameters & { readonly expected: Buffer }) | null {
  const [, ln, r, p, salt, hash] = SCRYPT_FORMAT.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return null;
  const logCost = Number(ln);
  const block = Number(r);
  const parallel = Number(p);
  if (logCost < 1 || logCost > SCRYPT_LOG_COST_MAX || block < 1 || parallel < 1) return null;
  if (block > SCRYPT_BLOCK) return null;
  const expected = Buffer.from(hash, 'base64');
  return { logCost, block, parallel, salt: Buffer.from(salt, 'base64'), expected };
}

interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
  readonly maxmem: number;
}

function optionsOf({ logCost, block, parallel }: ScryptParameters): ScryptCost {
  const N = 2 ** logCost;
  return { N, r: block, p: parallel, maxmem: 256 * N * block + 256 * block * parallel + 2 ** 20 };
}

let running = 0;
const waiting: (() => void)[] = [];

async function runScrypt(
  password: string,
  parameters: ScryptParameters,
  bytes: number,
): Promise<Buffer> {
  if (running >= RUNNING_MAX) await new Promise<void>((resolve) => waiting.push(resolve));
  else running += 1;
  try {
    return await new Promise((resolve, reject) => {
      scrypt(password, parameters.salt, bytes, optionsOf(parameters), (error, hash) => {
        if (error === null) resolve(hash);
        else reject(error);
      });
    });
  } finally {
    // The next call in the line takes over the place, so that the count stays.
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}
