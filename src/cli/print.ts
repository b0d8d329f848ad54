// Owns printing on standard output and standard error: no name that a client chose acts on the terminal.
// Never decides what is printed.

import { printable } from '../util/log/printable.ts';
import { systemCode, wayOutOf } from '../util/system/system-error.ts';

/** Prints on standard output; what is not printable is spelt out, but for line feeds. */
export function print(text: string): void {
  process.stdout.write(printable(text));
}

/** The same on standard error. */
export function printError(text: string): void {
  process.stderr.write(printable(text));
}

/** Says that standard input is waited for, where a person may not know that the terminal is it. */
export function tellOfTerminal(what: string): void {
  if (process.stdin.isTTY)
    printError(`Reading ${what} from the terminal: Ctrl-D at the start of a line ends it\n`);
}

/** How a program ends whose reader has gone, as one that SIGPIPE ends: 128 + 13. */
const EXIT_NO_READER = 141;

/**
 * Ends a verb whose answer cannot be printed: without a word where its reader has gone, else with a line that
 * says why.
 */
export function guardOutput(): void {
  process.stdout.on('error', (error) => {
    if (systemCode(error) === 'EPIPE') process.exit(EXIT_NO_READER);
    const wayOut = wayOutOf(error) ?? 'send it elsewhere';
    printError(`leveret: the answer cannot be printed (${error.message}): ${wayOut}\n`);
    process.exit(1);
  });
  // What cannot be said there cannot be said at all; the exit code tells.
  process.stderr.on('error', () => {});
}

/** Keeps libraries from printing: what they have to say comes as an error too, and is said in our words. */
export function quietLibraries(): void {
  console.error = () => {};
}
