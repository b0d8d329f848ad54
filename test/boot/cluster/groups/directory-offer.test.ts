// What the leader of the group main tells others of users and vhosts: only what is durable, as often as it should, and never
// when it may lead no longer.

import { beforeEach, expect, test } from 'vitest';
import { DirectoryOffer } from '../../../../src/boot/cluster/groups/directory-offer.ts';
import type { GroupAround } from '../../../../src/boot/cluster/groups/group-around.ts';
import { readDirectory } from '../../../../src/broker/directory/directory.ts';
import { SmallBroker } from '../../../broker/small-broker.ts';

let small: SmallBroker;
let nowMs: number;
let sure: boolean;
/** Runs while the offer waits. */
let onPause: () => void;
let durables: number;
let offer: DirectoryOffer;

beforeEach(() => {
  small = new SmallBroker();
  nowMs = 0;
  sure = true;
  durables = 0;
  onPause = () => {};
  const { broker } = small;
  const timing = {
    clock: { wallMs: () => nowMs, monotonicMs: () => nowMs },
    pause: async (ms: number) => {
      nowMs += ms;
      onPause();
    },
  };
  offer = new DirectoryOffer({
    ...{ broker, group: 'main', logId: 'a', epoch: 3, timing },
    get sure() {
      return sure;
    },
    durable: async () => {
      durables += 1;
    },
  } as unknown as GroupAround);
});

async function ask(has: Record<string, unknown> = {}) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(has)) given.set(name, String(value));
  const text = await offer.answer(given);
  if (text === null) return null;
  const { version, directory } = JSON.parse(text);
  return { version, vhosts: readDirectory(directory).vhosts.map(({ name }) => name) };
}

test('a group that has nothing is told at once, once that is durable', async () => {
  const answer = await ask();
  expect(answer).toMatchObject({ version: { log: 'a', epoch: 3 }, vhosts: ['/'] });
  expect([nowMs, durables]).toEqual([0, 1]);
});

test('a group that has the newest waits for a change, and for ten seconds at most', async () => {
  const first = await ask();
  expect(await ask(first?.version)).toBe(null);
  expect(nowMs).toBe(10_000);
  onPause = () => {
    if (nowMs === 12_000) small.broker.putVhost('shop');
  };
  expect((await ask(first?.version))?.vhosts).toEqual(['/', 'shop']);
  expect(nowMs).toBe(12_000);
});

test('however often something changes, the whole is written twice a second at most', async () => {
  let has = (await ask())?.version;
  let n = 0;
  onPause = () => small.broker.putVhost(`v${n++}`);
  let answers = 0;
  while (nowMs < 5000) {
    const answer = await ask(has);
    expect(answer?.version.count).toBeGreaterThan(has.count);
    has = answer?.version;
    answers += 1;
  }
  expect(answers).toBe(10);
});

test('one that may lead no longer says nothing', async () => {
  sure = false;
  await expect(ask()).rejects.toThrow('another node may lead the group main');
});

test('a group that follows another log is told what there is: it decides', async () => {
  const answer = await ask({ log: 'b', epoch: 9, count: 9 });
  expect(answer?.version).toMatchObject({ log: 'a', epoch: 3 });
});
