// Owns the test that a start which imports definitions may be killed at any moment: all of a file is there
// afterwards, or nothing.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SCRIPT_TIMEOUT_MS } from '../support/patience.ts';
import { pause, useProcesses } from './support.ts';

const processes = useProcesses();
const QUEUES = 2_000;
const ROUNDS = 7;

test('kill -9 amid an import leaves all of a file, or nothing of it', {
  timeout: SCRIPT_TIMEOUT_MS,
}, async () => {
  const file = join(processes.folder(), 'definitions.json');
  const queues = Array.from({ length: QUEUES }, (_, n) => {
    return { name: `q-${n}`, vhost: '/', durable: true, auto_delete: false, arguments: {} };
  });
  const exchange = { name: 'x', vhost: '/', type: 'topic', durable: true };
  const rest = { auto_delete: false, internal: false, arguments: {} };
  writeFileSync(file, JSON.stringify({ exchanges: [{ ...exchange, ...rest }], queues }));
  const outcomes: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const dataDir = processes.folder();
    // The first start makes users and the vhost; the import comes with the second.
    await (await processes.start(dataDir)).end('SIGTERM');
    const args = ['--port', '0', '--data-dir', dataDir];
    const importing = processes.spawn(args, { LEVERET_LOAD_DEFINITIONS: file });
    // From the first moments of a start to some time after the commit.
    if (round === ROUNDS - 1) await importing.listening();
    else await pause(50 + round * 75);
    await importing.end('SIGKILL');
    const broker = await processes.start(dataDir);
    const model = await processes.connect(broker);
    let there = 0;
    for (const name of ['q-0', `q-${QUEUES >> 1}`, `q-${QUEUES - 1}`]) {
      const channel = await model.createChannel();
      channel.on('error', () => undefined);
      there += await channel.checkQueue(name).then(
        () => 1,
        () => 0,
      );
    }
    const channel = await model.createChannel();
    channel.on('error', () => undefined);
    there += await channel.checkExchange('x').then(
      () => 1,
      () => 0,
    );
    outcomes.push(there);
    await broker.end('SIGKILL');
  }
  console.log(`there after each kill, of 4: ${outcomes.join(' ')}`);
  expect(outcomes.every((there) => there === 0 || there === 4)).toBe(true);
  expect(outcomes, 'some kill comes before the import').toContain(0);
  expect(outcomes, 'some kill comes after it').toContain(4);
});
