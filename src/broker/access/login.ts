// Owns which user may log in, and from where. Never speaks AMQP: the handshake turns its answer into a reply.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Clock, systemClock } from '../../util/clock.ts';
import { isLoopbackAddress } from '../../util/system/address.ts';
import { PreciseTimer } from '../../util/timers.ts';
import type { LoginAnswer } from './login-answer.ts';
import { LoginChecks } from './login-checks.ts';
import { HASHING_SCRYPT, hashPassword, isPassword } from './password.ts';
import type { User } from './user.ts';

/** Decides about logins. */
export class Login {
  /** Users that may log in from this machine only. */
  loopbackUsers: readonly string[] = [];
  private readonly users: ReadonlyMap<string, User>;
  /**
   * By user, the last password that was right, in a form that tells nothing about it: what a client
   * comes back with need not be hashed again, which matters when all of them come back at once. The
   * key of these proofs ends with the process.
   */
  private readonly proofs = new Map<string, Buffer>();
  private readonly proofKey = randomBytes(32);
  private readonly checks: LoginChecks;

  /** The clock counts how often an address was wrong lately. */
  constructor(users: ReadonlyMap<string, User>, clock: Clock = systemClock) {
    this.users = users;
    const timer = new PreciseTimer(() => this.checks.pump());
    this.checks = new LoginChecks({ clock, wake: (delayMs) => timer.set(delayMs) });
  }

  /**
   * Whether a client has proven to be a user; at once where no hash by scrypt is needed. Every refusal
   * takes as long as one, and longer for an address that was wrong often. `owner` is the connection that
   * asks: once it is gone, `abandon` takes its logins out of the line.
   */
  byPassword(
    name: string,
    password: string,
    address: string,
    owner: object | null = null,
  ): LoginAnswer | Promise<LoginAnswer> {
    const user = this.users.get(name);
    if (user !== undefined && this.isProven(user, password)) return this.admit(user, address);
    const check = (): Promise<LoginAnswer> => this.check(name, password, address);
    return this.checks.ask({ name, password, address, known: user !== undefined, owner, check });
  }

  /** The connection is gone: nothing waits for its logins. */
  abandon(owner: object): void {
    this.checks.abandon(owner);
  }

  private async check(name: string, password: string, address: string): Promise<LoginAnswer> {
    const user = this.users.get(name);
    if (user === undefined) return refuseSlowly(password, 'there is no user of that name');
    // Another login may have proven it while this one waited.
    if (this.isProven(user, password)) return this.admit(user, address);
    return this.compare(user, password, address);
  }

  private async compare(user: User, password: string, remoteAddress: string): Promise<LoginAnswer> {
    const { passwordHash, hashingAlgorithm } = user;
    if (passwordHash === '' || password === '') {
      return refuseSlowly(password, 'the user cannot log in with a password, or sent none');
    }
    if (!(await isPassword(password, passwordHash, hashingAlgorithm))) {
      return refuseSlowly(password, 'the password is wrong', hashingAlgorithm);
    }
    // The user may have changed while the password was hashed.
    if (this.users.get(user.name) !== user || user.passwordHash !== passwordHash) {
      return { user: null, refusal: 'the user was changed meanwhile' };
    }
    this.proven(user, password);
    return this.admit(user, remoteAddress);
  }

  /** The same for a user whose name is proven by other means, such as a certificate. */
  withoutPassword(name: string, remoteAddress: string): LoginAnswer {
    const user = this.users.get(name);
    if (user === undefined) return { user: null, refusal: 'there is no user of that name' };
    return this.admit(user, remoteAddress);
  }

  /** Remembers that this is the password of a user. */
  proven(user: User, password: string): void {
    this.proofs.set(user.name, this.proofOf(user, password));
  }

  /** Lets go of what is known of a user that is deleted. */
  forget(name: string): void {
    this.proofs.delete(name);
  }

  private isProven(user: User, password: string): boolean {
    const proof = this.proofs.get(user.name);
    return proof !== undefined && timingSafeEqual(proof, this.proofOf(user, password));
  }

  /** Of the hash, too, so that a proof ends when the password changes. */
  private proofOf({ passwordHash }: User, password: string): Buffer {
    const text = JSON.stringify([passwordHash, password]);
    return createHmac('sha256', this.proofKey).update(text).digest();
  }

  private admit(user: User, remoteAddress: string): LoginAnswer {
    if (!this.loopbackUsers.includes(user.name) || isLoopbackAddress(remoteAddress)) {
      return { user, refusal: null };
    }
    const refusal = 'the user may log in from this machine only, see the setting loopback_users';
    return { user: null, refusal };
  }
}

/** Spends the time of a hash, unless comparing the password has taken it already. */
async function refuseSlowly(
  password: string,
  refusal: string,
  spent: string | null = null,
): Promise<LoginAnswer> {
  if (spent !== HASHING_SCRYPT) await hashPassword(password);
  return { user: null, refusal };
}
