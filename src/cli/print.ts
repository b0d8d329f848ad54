// Owns printing on standard output and standard error: no name that a client chose acts on the terminal.
// Never decides what is printed.

import { printable } from '../util/printable.ts';

/** Prints on standard output; what is not printable is spelt out, but for line feeds. */
export function print(text: string): void {
  process.stdout.write(printable(text));
}

/** The same on standard error. */
export function printError(text: string): void {
  process.stderr.write(printable(text));
}

/** Keeps libraries from printing: what they have to say comes as an error too, and is said in our words. */
export function quietLibraries(): void {
  console.error = () => {};
}
