// Owns how a verb is given a password: as an argument, from standard input, or by a user that types
// it unseen. Never keeps it.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { UserError } from '../util/user-error.ts';
import { EmptyArgumentError } from './verb/empty-argument.ts';

/** The password of an argument; without one, what is typed or the first line of standard input. */
export async function takePassword(argument: string | undefined): Promise<string> {
  if (argument === '')
    throw new EmptyArgumentError('the password must not be empty: no user can log in with that');
  if (argument !== undefined) return argument;
  const password = process.stdin.isTTY ? await ask() : firstLine(readFileSync(0, 'utf8'));
  if (password === '')
    throw new UserError('the password is empty: give it after the name, or type it');
  return password;
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? '';
}

async function ask(): Promise<string> {
  process.stderr.write('Password: ');
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await terminal.question('');
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
