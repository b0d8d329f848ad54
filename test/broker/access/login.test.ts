import { describe, expect, test } from 'vitest';
import { Login } from '../../../src/broker/access/login.ts';
import type { LoginAnswer } from '../../../src/broker/access/login-answer.ts';
import { HASHING_SCRYPT, hashPasswordNow } from '../../../src/broker/access/password.ts';
import { User } from '../../../src/broker/access/user.ts';

const LOCAL = '127.0.0.1';

function userWith(name: string, passwordHash: string, hashingAlgorithm = HASHING_SCRYPT): User {
  return new User({ name, passwordHash, hashingAlgorithm, tags: [], limits: {} });
}

function loginOf(...users: User[]): Login {
  return new Login(new Map(users.map((user) => [user.name, user])));
}

const guest = (): User => userWith('guest', hashPasswordNow('secret', 2));

describe('a login with a password', () => {
  test('gives the user when the password is right', async () => {
    const user = guest();
    const answer = await loginOf(user).byPassword('guest', 'secret', LOCAL);
    expect(answer).toEqual({ user, refusal: null });
  });

  test.each([
    ['guest', 'wrong', /password is wrong/],
    ['guest', '', /sent none/],
    ['guest\0', 'secret', /no user/],
    ['nobody', 'secret', /no user/],
    ['tokens', '', /cannot log in with a password/],
    ['tokens', 'secret', /cannot log in with a password/],
  ])('of %j with %j is refused: %s', async (name, password, refusal) => {
    const login = loginOf(guest(), userWith('tokens', ''));
    const answer = await login.byPassword(name, password, LOCAL);
    expect(answer.user).toBeNull();
    expect(answer.refusal).toMatch(refusal);
  });

  test('needs no hash when it was right before, and is right at once', async () => {
    const user = guest();
    const login = loginOf(user);
    await login.byPassword('guest', 'secret', LOCAL);
    expect(login.byPassword('guest', 'secret', LOCAL)).toEqual({ user, refusal: null });
    const wrong = login.byPassword('guest', 'wrong', LOCAL);
    expect(wrong).toBeInstanceOf(Promise);
    expect((await wrong).user).toBeNull();
  });

  test('asks for the new password once that has changed', async () => {
    const user = guest();
    const login = loginOf(user);
    await login.byPassword('guest', 'secret', LOCAL);
    user.passwordHash = hashPasswordNow('changed', 2);
    expect((await login.byPassword('guest', 'secret', LOCAL)).user).toBeNull();
    expect((await login.byPassword('guest', 'changed', LOCAL)).user).toBe(user);
  });

  test('is refused when the user was changed or deleted while its password was hashed', async () => {
    const user = guest();
    const users = new Map([['guest', user]]);
    const login = new Login(users);
    const changed = login.byPassword('guest', 'secret', LOCAL);
    user.passwordHash = hashPasswordNow('other', 2);
    expect((await changed).user).toBeNull();
    const deleted = login.byPassword('guest', 'other', LOCAL);
    users.delete('guest');
    expect((await deleted).user).toBeNull();
  });

  test('takes as long for a user that is not there as for a wrong password', async () => {
    const sha = userWith('sha', 'a'.repeat(48), 'rabbit_password_hashing_sha256');
    const login = loginOf(sha);
    const timeOf = async (name: string): Promise<number> => {
      const startMs = performance.now();
      await login.byPassword(name, 'wrong', LOCAL);
      return performance.now() - startMs;
    };
    for (const name of ['nobody', 'sha']) expect(await timeOf(name), name).toBeGreaterThan(5);
  });
});

describe('a user that may log in from this machine only', () => {
  const login = loginOf(guest());
  login.loopbackUsers = ['guest'];
  const from = async (address: string): Promise<LoginAnswer> =>
    login.byPassword('guest', 'secret', address);

  test('is known by its address, whichever way that is written', async () => {
    for (const address of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1']) {
      expect((await from(address)).user?.name, address).toBe('guest');
    }
    for (const address of ['10.0.0.1', '::ffff:10.0.0.1', '2001:db8::1', '']) {
      expect((await from(address)).refusal, address).toMatch(/loopback_users/);
    }
  });

  test('is kept out without a password, too', () => {
    expect(login.withoutPassword('guest', '10.0.0.1').user).toBeNull();
    expect(login.withoutPassword('guest', LOCAL).user?.name).toBe('guest');
    expect(login.withoutPassword('nobody', LOCAL).refusal).toMatch(/no user/);
  });
});
