// Owns one user: its name, how its password is checked, its tags and limits, and the connections it
// has. Never checks anything: login.ts and grants.ts do.

import type { UserLimits } from './limits.ts';

/** What a limit on channels counts. */
export interface UserConnection {
  readonly channelCount: number;
}

/** A user as lists show it and as its row holds it. */
export interface UserSnapshot {
  readonly name: string;
  /** Empty: the user cannot log in with a password. */
  readonly passwordHash: string;
  readonly hashingAlgorithm: string;
  readonly tags: readonly string[];
  readonly limits: UserLimits;
}

/** One user; it stays the same object until it is deleted. */
export class User implements UserSnapshot {
  readonly name: string;
  passwordHash: string;
  hashingAlgorithm: string;
  tags: readonly string[];
  limits: UserLimits;
  /** The connections that have opened a vhost as this user. */
  readonly connections = new Set<UserConnection>();

  constructor(snapshot: UserSnapshot) {
    this.name = snapshot.name;
    this.passwordHash = snapshot.passwordHash;
    this.hashingAlgorithm = snapshot.hashingAlgorithm;
    this.tags = snapshot.tags;
    this.limits = snapshot.limits;
  }

  /** Whether the user has a tag, such as `administrator` or `impersonator`. */
  has(tag: string): boolean {
    return this.tags.includes(tag);
  }

  /** How many channels are open on all its connections. */
  get channelCount(): number {
    let count = 0;
    for (const connection of this.connections) count += connection.channelCount;
    return count;
  }

  snapshot(): UserSnapshot {
    const { name, passwordHash, hashingAlgorithm, tags, limits } = this;
    return { name, passwordHash, hashingAlgorithm, tags, limits };
  }
}
