// Owns waiting for a long act that may fail. Never does any of its steps.

import type { Slices, Steps } from '../turn/slices.ts';

/** Does an act in slices of turns; resolves at its end, or rejects with what it throws, which has left no half change. */
export function act(slices: Slices, steps: Steps): Promise<void> {
  return new Promise((resolve, reject) => {
    let end = resolve;
    function* guarded(): Steps {
      try {
        yield* steps;
      } catch (error) {
        end = () => reject(error);
      }
    }
    slices.begin(guarded(), () => end());
  });
}
