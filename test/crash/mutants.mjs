// Spoils a clean history in each way a broker could, one at a time, to prove that the judge finds
// it. Works on copies; never changes the history it is given.
import { check } from './check.mjs';
import { KEY_MUTANTS } from './mutants/keys.mjs';
import { MESSAGE_MUTANTS } from './mutants/messages.mjs';
import { QUEUE_MUTANTS } from './mutants/queues.mjs';
import { STREAM_MUTANTS } from './mutants/streams.mjs';

/** @typedef {import('./check.d.mts').History} History */

/**
 * Each gets a copy whose journals may be changed, and tells whether there was a place to spoil: one where no broker that
 * keeps its promises could have left such a history.
 * @type {import('./mutants.d.mts').Mutant[]}
 */
export const MUTANTS = [...MESSAGE_MUTANTS, ...QUEUE_MUTANTS, ...KEY_MUTANTS, ...STREAM_MUTANTS];

/**
 * Runs every mutant over a history that has no violations. `found` is null when the history has no
 * place for the mutant.
 * @param {History} clean
 * @returns {{ name: string, rule: string, found: boolean | null }[]}
 */
export function runMutants(clean) {
  return MUTANTS.map(({ name, rule, spoil }) => {
    const copy = { ...clean, journals: {}, lookups: [...clean.lookups] };
    for (const [client, journal] of Object.entries(clean.journals)) {
      copy.journals[client] = [...journal];
    }
    if (!spoil(copy)) return { name, rule, found: null };
    const { violations } = check(copy);
    return { name, rule, found: violations.some((violation) => violation.rule === rule) };
  });
}
