import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  checkPasswordHash,
  HASHING_SCRYPT,
  hashPassword,
  hashPasswordNow,
  isPassword,
} from '../../../src/broker/access/password.ts';

/** As RabbitMQ makes it: base64 of four bytes of salt and the digest of salt and password. */
function rabbitHash(password: string, digest: string, salt = Buffer.of(1, 2, 3, 250)): string {
  const found = createHash(digest).update(salt).update(password).digest();
  return Buffer.concat([salt, found]).toString('base64');
}

describe('a hash by scrypt', () => {
  test('is that of its password and no other, and says how it was made', async () => {
    const hash = await hashPassword('pässword', 4);
    expect(hash).toMatch(/^\$scrypt\$ln=4,r=8,p=1\$[\w+/=]{24}\$[\w+/=]{44}$/);
    expect(await isPassword('pässword', hash, HASHING_SCRYPT)).toBe(true);
    expect(await isPassword('password', hash, HASHING_SCRYPT)).toBe(false);
    expect(await isPassword('', hash, HASHING_SCRYPT)).toBe(false);
  });

  test('is another each time', () => {
    expect(hashPasswordNow('x', 2)).not.toBe(hashPasswordNow('x', 2));
  });

  test('costs what it says, and not what new ones cost', async () => {
    // Made with N = 16, r = 1, p = 2: parameters that we give no new hash.
    const { scryptSync } = await import('node:crypto');
    const salt = Buffer.from('salt');
    const hash = scryptSync('x', salt, 16, { N: 16, r: 1, p: 2 }).toString('base64');
    const text = `$scrypt$ln=4,r=1,p=2$${salt.toString('base64')}$${hash}`;
    expect(await isPassword('x', text, HASHING_SCRYPT)).toBe(true);
    expect(await isPassword('y', text, HASHING_SCRYPT)).toBe(false);
  });

  test('is made two at a time: a third that would be quick waits for one of two that are slow', async () => {
    const order: string[] = [];
    const make = async (name: string, logCost: number): Promise<void> => {
      await hashPassword(name, logCost);
      order.push(name);
    };
    await Promise.all([make('slow', 13), make('slow', 13), make('quick', 1), make('quick', 1)]);
    expect(order[0]).toBe('slow');
  });
});

test.each(['sha256', 'sha512', 'md5'])('a hash by %s as RabbitMQ makes it', async (digest) => {
  const algorithm = `rabbit_password_hashing_${digest}`;
  const hash = rabbitHash('secret', digest);
  expect(() => checkPasswordHash(hash, algorithm)).not.toThrow();
  expect(await isPassword('secret', hash, algorithm)).toBe(true);
  expect(await isPassword('Secret', hash, algorithm)).toBe(false);
});

test('a hash that RabbitMQ 3.10 made is that of its password', async () => {
  const hash = 'CZ1sjovqMtz1E/IHLlKLsPy2E1I5jARHNPreS3uH3l8CNjyX';
  expect(await isPassword('p', hash, 'rabbit_password_hashing_sha256')).toBe(true);
});

test('an empty hash is that of no password, the empty one included', async () => {
  for (const algorithm of [HASHING_SCRYPT, 'rabbit_password_hashing_sha256']) {
    expect(() => checkPasswordHash('', algorithm)).not.toThrow();
    expect(await isPassword('', '', algorithm)).toBe(false);
  }
});

test.each([
  ['x', 'rot13', /unknown hashing algorithm 'rot13'/],
  ['x', HASHING_SCRYPT, /is not one of/],
  ['$scrypt$ln=40,r=8,p=1$AAAA$AAAA', HASHING_SCRYPT, /is not one of/],
  ['$scrypt$ln=14,r=0,p=1$AAAA$AAAA', HASHING_SCRYPT, /is not one of/],
  ['$scrypt$ln=14,r=99,p=1$AAAA$AAAA', HASHING_SCRYPT, /is not one of/],
  [rabbitHash('x', 'md5'), 'rabbit_password_hashing_sha256', /is not one of/],
])('the hash %s of %s is refused', (hash, algorithm, fault) => {
  expect(() => checkPasswordHash(hash, algorithm)).toThrow(fault);
});
