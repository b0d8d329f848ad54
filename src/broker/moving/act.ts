// Owns waiting for a long act that may fail, or is left undone as the broker stops. Never does any of its steps.

import { StoreError } from '../../store/errors.ts';
import type { Slices, Steps } from '../turn/slices.ts';

/** What is needed of the broker. */
interface ActingCore {
  readonly slices: Slices;
  readonly stopping: boolean;
}

/**
 * Does an act in slices of turns, and resolves at its end. Rejects with what it throws, which has left no half change; or with a
 * StoreError where the broker stops, which does not wait for the rest of it.
 */
export function act(core: ActingCore, steps: Steps): Promise<void> {
  return new Promise((resolve, reject) => {
    let end = resolve;
    function* guarded(): Steps {
      try {
        while (steps.next().done !== true) {
          yield;
          requireRunning(core);
        }
      } catch (error) {
        end = () => reject(error);
      }
    }
    core.slices.begin(guarded(), () => end());
  });
}

/** Throws a StoreError where the broker stops. */
export function requireRunning({ stopping }: ActingCore): void {
  if (!stopping) return;
  throw new StoreError('the broker stops amid it', 'begin again after its next start');
}
