// The types of mutants.mjs.
import type { History } from './check.mjs';

export const MUTANTS: { name: string; rule: string; spoil: (history: History) => boolean }[];

export function runMutants(clean: History): { name: string; rule: string; found: boolean | null }[];
