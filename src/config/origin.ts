// Owns where the text of a setting came from, and how that is said. Never reads it.

/** Where the text of a setting stands. */
export type Origin =
  | { readonly from: 'file'; readonly file: string; readonly line: number }
  | { readonly from: 'environment'; readonly name: string }
  | { readonly from: 'flag'; readonly name: string }
  /** A word of the command line that no flag precedes. */
  | { readonly from: 'argument' }
  /** A user has set it while the broker runs; `atMs` is since 1970. */
  | { readonly from: 'command'; readonly user: string; readonly atMs: number }
  /** The options of a broker inside a program. */
  | { readonly from: 'program'; readonly place: string }
  /** Nothing sets it, and a container asks for another value than other machines. */
  | { readonly from: 'container' };

/** As people read it, such as `/etc/rabbitmq/rabbitmq.conf:3`; a setting of no origin has its default. */
export function showOrigin(origin: Origin | undefined): string {
  if (origin === undefined) return 'default';
  switch (origin.from) {
    case 'file':
      return lineOf(origin);
    case 'environment':
      return `environment ${origin.name}`;
    case 'flag':
      return `flag ${origin.name}`;
    case 'argument':
      return 'command line';
    case 'command':
      return `set by ${origin.user} at ${new Date(origin.atMs).toISOString()}`;
    case 'program':
      return origin.place;
    case 'container':
      return 'default in a container';
  }
}

/** Line 0 is the file as a whole. */
function lineOf({ file, line }: { readonly file: string; readonly line: number }): string {
  return line === 0 ? file : `${file}:${line}`;
}

/** How an error names it; `key` is what stands there in a file. */
export function placeOf(origin: Origin, key: string): string {
  switch (origin.from) {
    case 'file':
      return `${lineOf(origin)}: ${key}`;
    case 'environment':
      return `environment: ${origin.name}`;
    case 'flag':
      return `command line: ${origin.name}`;
    case 'argument':
      return `command line: ${key}`;
    case 'command':
      return key;
    case 'program':
      return `${origin.place}: ${key}`;
    case 'container':
      return key;
  }
}
