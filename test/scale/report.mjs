// What a scenario says: its arguments, its figures, and whether each is what it should be.

/** A whole number from the command line, `--name N`. */
export function argument(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  if (at < 0) return fallback;
  const value = Number(process.argv[at + 1]);
  if (!Number.isInteger(value) || value <= 0) {
    console.error(`--${name} wants a whole number above 0`);
    process.exit(2);
  }
  return value;
}

let failed = 0;

/** Prints a figure; `good` says whether it is as it should be, null that nothing is asked of it. */
export function figure(what, value, good = null, wanted = '') {
  const verdict = good === null ? '' : good ? '  PASS' : '  FAIL';
  console.log(`${what.padEnd(46)} ${String(value).padStart(14)}${verdict}  ${wanted}`);
  if (good === false) failed += 1;
}

/** Ends the scenario: exit code 1 if a figure was not as it should be. */
export function finish() {
  process.exit(failed === 0 ? 0 : 1);
}

export const rate = (count, ms) => Math.round((count * 1000) / ms);
