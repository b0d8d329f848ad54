// Owns the table of binding arguments: name, values, and the exchange types that read them. Never acts on one: the type
// does.

import { MATCH_WORDS, X_MATCH } from './types/headers-rule.ts';

/** One argument that bindings know. */
export interface BindingArgument {
  readonly name: string;
  /** The type of the source that reads it. */
  readonly type: string;
  /** The values it takes, for people. */
  readonly expects: string;
  readonly choices: readonly string[];
  /** What it does, for people. */
  readonly about: string;
}

/** Every argument that bindings know. Each other one of a headers binding is a condition. */
export const BINDING_ARGUMENTS: readonly BindingArgument[] = [
  {
    name: X_MATCH,
    type: 'headers',
    expects: MATCH_WORDS.map((word) => `\`${word}\``).join(', '),
    choices: MATCH_WORDS,
    about:
      'Whether a message must have all the headers that the other arguments name, with their values, or any of them. ' +
      '`all` (without the argument) and `any` ignore arguments that begin with `x-`; `all-with-x` and `any-with-x` ' +
      'look at them, too.',
  },
];
