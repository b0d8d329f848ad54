// Owns the tests of how `leveret perf` reads its list of hosts.

import { expect, test } from 'vitest';
import { perfCommand } from '../../src/cli/verbs/perf.ts';

function urlsOf(...args: string[]): unknown {
  const command = perfCommand();
  command.parseOptions(args);
  return command.opts()['url'];
}

test.each([
  [
    ['-H', 'one,two:5673'],
    ['amqp://one', 'amqp://two:5673'],
  ],
  [
    ['-H', 'amqp://a:5672,b:5673, c:5674'],
    ['amqp://a:5672', 'amqp://b:5673', 'amqp://c:5674'],
  ],
  [
    ['-H', 'amqps://app:secret@a/shop,b:5673,[::1]:5674'],
    [
      'amqps://app:secret@a/shop',
      'amqps://app:secret@b:5673/shop',
      'amqps://app:secret@[::1]:5674/shop',
    ],
  ],
  [
    ['-H', 'amqp://u:p@a/v,b/w,amqp://c,d'],
    ['amqp://u:p@a/v', 'amqp://u:p@b/w', 'amqp://c', 'amqp://d'],
  ],
  // Another option is another list, so no login goes there unasked.
  [
    ['-H', 'amqp://u:p@a/v', '-H', 'b'],
    ['amqp://u:p@a/v', 'amqp://b'],
  ],
])('%j means %j', (args, urls) => {
  expect(urlsOf(...args)).toEqual(urls);
});

test('its help says what becomes of a lost connection', () => {
  let help = '';
  const command = perfCommand().configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  expect(help).toMatch(/amqp:\/\/a:5672,b:5673,c:5674/);
  expect(help).toMatch(/counted as unconfirmed/);
});
