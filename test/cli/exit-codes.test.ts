// The line and the code that a wrong command line ends with.

import { expect, test } from 'vitest';
import { exitCodeOf, usageLine } from '../../src/cli/exit-codes.ts';
import { loadConfig } from '../../src/config/load.ts';

test('an error of the parser is one line that begins with the program, with the guess behind it', () => {
  expect(usageLine('leveret', "error: unknown command 'queus'\n(Did you mean queues?)\n")).toBe(
    "leveret: unknown command 'queus'; did you mean queues?\n",
  );
  expect(usageLine('rabbitmqctl', "error: missing required argument 'name'\n")).toBe(
    "rabbitmqctl: missing required argument 'name'; see `rabbitmqctl --help`\n",
  );
});

test('where the parser has no guess, the line names the help of the command that was called', () => {
  const wrong = [
    "missing required argument 'queue'",
    "too many arguments for 'browse'. Expected 1 argument but got 2.",
    "unknown option '--x'",
    "unknown command 'x'",
    "option '-c, --limit <n>' argument missing",
  ];
  for (const text of wrong)
    expect(usageLine('leveret list queues', `error: ${text}\n`)).toBe(
      `leveret: ${text}; see \`leveret list queues --help\`\n`,
    );
  const invalid = "option '-c, --limit <n>' argument 'x' is invalid. It must be a whole number.";
  expect(usageLine('leveret get', `error: ${invalid}\n`)).toBe(`leveret: ${invalid}\n`);
});

test('wrong flags end with 64, however many, and with 1 where something else is wrong too', async () => {
  const wrong = (flags: Record<string, string>, env = {}, configGlobs: string[] = []) =>
    loadConfig({ configGlobs, env, flags }).then(
      () => null,
      (error: unknown) => ({ code: exitCodeOf(error), text: (error as Error).message }),
    );
  const port = { '--port': 'x' };
  expect(await wrong(port)).toMatchObject({ code: 64 });
  expect(await wrong({ ...port, '--log-level': 'loud' })).toEqual({
    code: 64,
    text: expect.stringMatching(/^2 settings are wrong; the first one: command line: --port: /),
  });
  expect(await wrong(port, {}, ['/nowhere/*.conf'])).toMatchObject({ code: 64 });
  expect(await wrong(port, { LEVERET_CONFIG: '/nowhere' })).toMatchObject({ code: 1 });
  expect(await wrong(port, { LEVERET_HEARTBEAT: 'x' })).toMatchObject({ code: 1 });
});
