// Owns looks at the memory that this process holds. Never judges by one look: garbage of tests before is collected, and memory of
// buffers given back, when the engine has time for it.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { eventually } from './amqp.ts';

const collectGarbage = ((): (() => void) => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

/** Bytes in use, those of buffers included, once garbage is gone. What other tests left behind may be among them. */
export function heldBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Awaits that less is held than so many bytes, and returns how much is. What is held for good never becomes less. */
export function untilHeldBelow(bytes: number): Promise<number> {
  return eventually(() => {
    const held = heldBytes();
    return held < bytes ? held : null;
  }, `less than ${bytes} bytes in use, and not ${heldBytes()},`);
}
