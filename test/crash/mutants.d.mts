// The types of mutants.mjs.
import type { History } from './check.mjs';

/** A way to spoil a history, and the rule by which the judge has to find it. */
export type Mutant = { name: string; rule: string; spoil: (history: History) => boolean };

export const MUTANTS: Mutant[];

export function runMutants(clean: History): { name: string; rule: string; found: boolean | null }[];
