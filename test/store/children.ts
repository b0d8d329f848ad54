// Owns running the scripts in children/ as processes of their own. Never knows what they print.

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A script that runs, and what it has printed. */
export interface Child {
  readonly process: ChildProcess;
  readonly lines: string[];
  /** Resolves with the next line not yet taken, or null when the script has ended. */
  next(): Promise<string | null>;
  /** Resolves when the script has ended and all it printed is in `lines`. */
  readonly ended: Promise<void>;
}

/** Starts a script of children/; `shellPrefix` may set limits for it. */
export function startChild(script: string, args: readonly string[], shellPrefix = ''): Child {
  const path = fileURLToPath(new URL(`./children/${script}`, import.meta.url));
  const command = `${shellPrefix} exec "$0" "$@"`;
  const child = spawn('/bin/sh', ['-c', command, process.execPath, path, ...args], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const lines: string[] = [];
  let taken = 0;
  let over = false;
  let wake = (): void => {};
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => {
    lines.push(line);
    wake();
  });
  const ended = new Promise<void>((resolve) => {
    reader.on('close', () => {
      over = true;
      wake();
      resolve();
    });
  });
  const next = async (): Promise<string | null> => {
    while (taken === lines.length && !over) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const line = lines[taken];
    if (line === undefined) return null;
    taken += 1;
    return line;
  };
  return { process: child, lines, next, ended };
}
