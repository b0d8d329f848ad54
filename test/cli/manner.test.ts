// The flags of RabbitMQ's tools, and the forms that they show answers in.

import { expect, test } from 'vitest';
import type { CtlCall } from '../../src/cli/ctl/ctl-verb.ts';
import { readManner } from '../../src/cli/ctl/manner.ts';
import { PLUGIN_VERBS } from '../../src/cli/ctl/plugins.ts';
import { format } from '../../src/cli/ctl/show/formats.ts';
import { cellOf, termOf } from '../../src/cli/ctl/show/terms.ts';

test('flags stand before the verb and behind it', () => {
  expect(readManner(['-n', 'rabbit@x', '-q', '-p', 'v', 'list_queues', 'name', '-t', '9'])).toEqual(
    {
      manner: { quiet: true, silent: false, headers: true, format: 'table', timeoutMs: 9000 },
      rest: ['list_queues', '-p', 'v', 'name'],
    },
  );
  expect(readManner(['list_users', '--formatter=json', '--no-table-headers']).manner).toMatchObject(
    {
      format: 'json',
      headers: false,
    },
  );
  expect(readManner(['x', '--timeout', 'infinity']).manner.timeoutMs).toBe(null);
  // An argument may have a sign of equality in it, and words behind flags that only look like flags.
  expect(readManner(['set_policy', 'a=b', '--apply-to=queues']).rest).toEqual([
    'set_policy',
    'a=b',
    '--apply-to=queues',
  ]);
});

test('a flag without its value, a formatter and a time that there is not are refused', () => {
  for (const args of [
    ['x', '-n'],
    ['x', '--formatter', 'xml'],
    ['x', '-t', 'soon'],
  ]) {
    expect(() => readManner(args)).toThrow(/needs a value|no formatter|number of seconds/);
  }
});

test('cells keep to one line, whatever a client put into a name', () => {
  expect(cellOf('a\tb\n\\c\u001b')).toBe('a\\011b\\012\\\\c\\033');
  expect(cellOf({ 'x"': 'y"', n: null, l: [1, 'a'] })).toBe(
    '[{"x\\"","y\\""},{"n",undefined},{"l",[1,"a"]}]',
  );
  expect(cellOf(['a', 'b'])).toBe('[a, b]');
  expect(termOf({ name: 'q', 'x-y': [true] })).toBe('[{name,<<"q">>},{\'x-y\',[true]}]');
});

test('a list without rows is empty in each form', () => {
  const none = { columns: ['a'], rows: [] };
  expect(format(none, 'table', true)).toBe('');
  expect(format(none, 'json', true)).toBe('[]\n');
  expect(format(none, 'erlang', true)).toBe('[]\n');
  expect(format(none, 'csv', true)).toBe('"a"\n');
});

test('what has no value is an empty text in JSON, as RabbitMQ has it', () => {
  expect(format({ columns: ['a', 'b'], rows: [{ a: null }] }, 'json', true)).toBe(
    '[\n{"a":"","b":""}\n]\n',
  );
});

test('one plugin is, and several are', async () => {
  const said = async (name: string, ...words: string[]): Promise<string> => {
    const verb = PLUGIN_VERBS.find((each) => each.name === name);
    try {
      return String(await verb?.run({ words, options: {} } as unknown as CtlCall));
    } catch (error) {
      return (error as Error).message;
    }
  };
  const [one, other] = ['rabbitmq_management', 'rabbitmq_prometheus'];
  const [none, neither] = ['rabbitmq_mqtt', 'rabbitmq_stomp'];
  expect(await said('is_enabled', one)).toContain(`Plugin ${one} is enabled`);
  expect(await said('is_enabled', one, other)).toContain(`Plugins ${one}, ${other} are enabled`);
  expect(await said('is_enabled', none)).toContain(`Plugin ${none} is not enabled`);
  expect(await said('is_enabled', none, neither)).toContain(
    `Plugins ${none}, ${neither} are not enabled`,
  );
  expect(await said('disable', one)).toContain('it is built in');
  expect(await said('disable', one, other)).toContain('they are built in');
  expect(await said('enable', none)).toContain('this is not built in');
  expect(await said('enable', none, neither)).toContain('these are not built in');
});
