// Owns the guess at what a misspelt name was meant to be. Never decides what to do about it.

/** So many letters of a name are enough to know it by, where no other begins with them. */
const BEGUN_MIN = 3;

/** No name of ours is longer, and each letter costs a look at all letters of all candidates. */
const NAME_CHARS_MAX = 100;

/**
 * The only candidate that begins with `name`, else the one with the fewest edits from it, or null when none is close
 * enough to be meant.
 */
export function suggest(name: string, candidates: readonly string[]): string | null {
  if (name.length > NAME_CHARS_MAX) return null;
  const begun = candidates.filter((each) => each.toLowerCase().startsWith(name.toLowerCase()));
  if (name.length >= BEGUN_MIN && begun.length === 1) return begun[0] as string;
  let best: string | null = null;
  let fewest = Math.max(2, Math.ceil(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const edits = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (edits < fewest) {
      best = candidate;
      fewest = edits;
    }
  }
  return best;
}

/** Levenshtein distance: insertions, removals and replacements to turn `from` into `to`. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = at(row, j - 1) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, at(row, j) + 1, at(next, j - 1) + 1));
    }
    row = next;
  }
  return at(row, to.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
