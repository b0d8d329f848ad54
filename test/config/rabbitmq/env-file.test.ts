import { expect, test } from 'vitest';
import { parseEnvFile } from '../../../src/config/rabbitmq/env-file.ts';

test('plain assignments are read, with and without the prefix and quotes', () => {
  const text = `# a comment
NODENAME=rabbit@a
export RABBITMQ_NODE_PORT=5673  # why
MNESIA_BASE='/var/lib/my data'
LOG_BASE="/var/log"
EMPTY=
`;
  expect(parseEnvFile(text)).toEqual({
    assignments: [
      { line: 2, name: 'RABBITMQ_NODENAME', text: 'rabbit@a' },
      { line: 3, name: 'RABBITMQ_NODE_PORT', text: '5673' },
      { line: 4, name: 'RABBITMQ_MNESIA_BASE', text: '/var/lib/my data' },
      { line: 5, name: 'RABBITMQ_LOG_BASE', text: '/var/log' },
      { line: 6, name: 'RABBITMQ_EMPTY', text: '' },
    ],
    unread: [],
  });
});

test.each(['A=$HOME', 'A="$(id)"', 'A=`id`', 'if true; then', 'A=1 B=2', 'source x', "A='"])(
  '%s is left to a shell, and told',
  (line) => {
    expect(parseEnvFile(line)).toEqual({ assignments: [], unread: [1] });
  },
);
