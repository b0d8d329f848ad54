// Owns the answer to a login. Never decides about one: login.ts does.

import type { User } from './user.ts';

/** The user, or why there is no login: for the log, and never for the peer. */
export type LoginAnswer =
  | { readonly user: User; readonly refusal: null }
  /** `busy`: the password was not looked at. */
  | { readonly user: null; readonly refusal: string; readonly busy?: true };
