// Owns the format of rabbitmq-env.conf: assignments in the manner of a shell. Never runs a shell, and so reads plain
// assignments alone.

/** An assignment. */
export interface Assignment {
  readonly line: number;
  /** With `RABBITMQ_` before it, which the file may leave out. */
  readonly name: string;
  readonly text: string;
}

/** What a file says. */
export interface EnvFile {
  readonly assignments: readonly Assignment[];
  /** The lines that only a shell understands. */
  readonly unread: readonly number[];
}

const PREFIX = 'RABBITMQ_';
const ASSIGNMENT =
  /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(?:'([^']*)'|"([^"$`\\]*)"|([^\s'"$`\\;&|<>()#]*))\s*(?:#.*)?$/;

/** Reads the text of a file. */
export function parseEnvFile(text: string): EnvFile {
  const assignments: Assignment[] = [];
  const unread: number[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const found = ASSIGNMENT.exec(line);
    if (found === null) {
      unread.push(index + 1);
      continue;
    }
    const [, given = '', single, double, bare] = found;
    const name = given.startsWith(PREFIX) ? given : `${PREFIX}${given}`;
    assignments.push({ line: index + 1, name, text: single ?? double ?? bare ?? '' });
  }
  return { assignments, unread };
}
