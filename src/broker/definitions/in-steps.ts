// Owns going through items of definitions in steps. Never knows what is done with them.

/** Stops where others may have their turn, and comes to a value. */
export type Stepwise<T> = Generator<undefined, T, undefined>;

/** So many items between two moments at which others may have their turn. */
const ITEMS_PER_STEP = 16;

/** Does something with each item of a list, in steps. */
export function* inSteps<T>(
  items: readonly T[],
  act: (item: T, index: number) => void,
): Stepwise<void> {
  for (const [at, item] of items.entries()) {
    act(item, at);
    if (at % ITEMS_PER_STEP === ITEMS_PER_STEP - 1) yield;
  }
}
