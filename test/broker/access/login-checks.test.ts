import { expect, test } from 'vitest';
import type { LoginAnswer } from '../../../src/broker/access/login-answer.ts';
import { LoginChecks } from '../../../src/broker/access/login-checks.ts';
import { User } from '../../../src/broker/access/user.ts';
import type { Clock } from '../../../src/util/clock.ts';
import { placeOf } from '../../../src/util/system/address.ts';

const WRONG: LoginAnswer = { user: null, refusal: 'the password is wrong' };
const RIGHT: LoginAnswer = {
  user: new User({ name: 'a', passwordHash: '', hashingAlgorithm: '', tags: [], limits: {} }),
  refusal: null,
};

/** Checks that end when the test says so, and a clock that it moves. */
class Stage {
  nowMs = 0;
  wakes = 0;
  readonly begun: string[] = [];
  readonly answered: string[] = [];
  readonly checks: LoginChecks;
  private readonly open: (() => void)[] = [];

  constructor() {
    const clock: Clock = { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs };
    this.checks = new LoginChecks({
      clock,
      wake: () => {
        this.wakes += 1;
      },
    });
  }

  ask(
    name: string,
    more: {
      password?: string;
      address?: string;
      known?: boolean;
      owner?: object;
      right?: boolean;
    } = {},
  ): Promise<LoginAnswer> {
    const { password = 'x', address = '10.0.0.1', known = true, owner = {}, right = false } = more;
    const check = (): Promise<LoginAnswer> => {
      this.begun.push(name);
      return new Promise((resolve) => this.open.push(() => resolve(right ? RIGHT : WRONG)));
    };
    const answer = this.checks.ask({ name, password, address, known, owner, check });
    const told = (each: LoginAnswer): string =>
      each.user === null && each.busy === true ? `${name}: busy` : name;
    void answer.then((each) => this.answered.push(told(each)));
    return answer;
  }

  /** Ends the checks that run, and those that begin then, until none runs. */
  async finish(): Promise<void> {
    for (let act = this.open.shift(); act !== undefined; act = this.open.shift()) {
      act();
      for (let n = 0; n < 10; n++) await Promise.resolve();
    }
  }

  async passes(ms: number): Promise<void> {
    this.nowMs += ms;
    this.checks.pump();
    await this.finish();
  }
}

/** 3,000 wrong logins, each of another connection unless told otherwise. */
function attack(stage: Stage, nameOf: (n: number) => string, more: object): void {
  for (let n = 0; n < 3000; n++) void stage.ask(nameOf(n), { password: `p${n}`, ...more });
}

test.each([
  ['for one name, from the same address', () => 'guest', { known: true }],
  ['for names that are not there, from the same address', (n: number) => `n${n}`, { known: false }],
  ['from another address', () => 'guest', { address: '10.0.0.2' }],
])('3,000 wrong logins %s hold up a user by a few checks', async (_how, nameOf, more) => {
  const stage = new Stage();
  attack(stage, nameOf, more);
  await stage.finish();
  const before = stage.begun.length;
  const login = stage.ask('alice', { right: true });
  // At most one more try has to be gained, whatever else waits.
  await stage.passes(400);
  expect((await login).user).not.toBeNull();
  expect(stage.begun.indexOf('alice') - before).toBeLessThanOrEqual(2);
});

test('pipelined logins of one connection do not fill the line', async () => {
  const stage = new Stage();
  attack(stage, () => 'guest', { owner: {} });
  expect(stage.checks.size.waiting).toBeLessThanOrEqual(4);
  await stage.finish();
  expect(stage.begun.length).toBeLessThanOrEqual(4);
  expect(stage.answered.filter((each) => each === 'guest: busy').length).toBeGreaterThan(2990);
});

test('the line is empty once the peers are gone', async () => {
  const stage = new Stage();
  const owners = Array.from({ length: 500 }, () => ({}));
  for (const [n, owner] of owners.entries()) void stage.ask(`n${n}`, { known: false, owner });
  expect(stage.checks.size.waiting).toBe(498);
  for (const owner of owners) stage.checks.abandon(owner);
  expect(stage.checks.size.waiting).toBe(0);
  await stage.finish();
  expect(stage.begun).toHaveLength(2);
});

test('an address may be wrong 20 times at once, and then 5 times a second', async () => {
  const stage = new Stage();
  attack(stage, (n) => `n${n}`, { known: false });
  await stage.finish();
  expect(stage.begun).toHaveLength(20);
  expect(stage.wakes).toBeGreaterThan(0);
  await stage.passes(1000);
  expect(stage.begun).toHaveLength(25);
  void stage.ask('guest', { address: '10.0.0.2' });
  await stage.finish();
  expect(stage.begun).toHaveLength(26);
});

test('right logins cost no try: 2,000 users of one address come back at once', async () => {
  const stage = new Stage();
  for (let n = 0; n < 2000; n++) void stage.ask(`user${n}`, { right: true });
  await stage.finish();
  expect(stage.begun).toHaveLength(2000);
  expect(stage.answered.every((each) => !each.includes('busy'))).toBe(true);
});

test('logins with the same name and password share a check', async () => {
  const stage = new Stage();
  const answers = Array.from({ length: 1000 }, () => stage.ask('app', { right: true }));
  await stage.finish();
  expect((await Promise.all(answers)).every(({ user }) => user !== null)).toBe(true);
  expect(stage.begun.length).toBeLessThanOrEqual(3);
});

test('refusals come in the order of the logins, whether there is such a user or not', async () => {
  const stage = new Stage();
  const asked: string[] = [];
  for (let n = 0; n < 60; n++) {
    const name = n % 3 === 0 ? 'guest' : `n${n}`;
    // No more of one name than may wait.
    if (n % 3 === 0 && n > 40) continue;
    asked.push(name);
    void stage.ask(name, { password: `p${n}`, known: n % 3 === 0 });
  }
  for (let n = 0; n < 30; n++) await stage.passes(1000);
  expect(stage.answered).toEqual(asked);
});

test('a check that fails is told to those who wait, and the next one runs', async () => {
  const stage = new Stage();
  const check = async (): Promise<LoginAnswer> => {
    throw new Error('no memory');
  };
  const common = { address: '10.0.0.1', known: true, owner: null };
  await expect(stage.checks.ask({ name: 'a', password: 'x', check, ...common })).rejects.toThrow(
    'no memory',
  );
  void stage.ask('b');
  expect(stage.begun).toEqual(['b']);
});

test('what is remembered of addresses is bounded', async () => {
  const stage = new Stage();
  for (let n = 0; n < 20_000; n++) {
    void stage.ask('guest', { address: `10.1.${n >> 8}.${n & 255}` });
    await stage.finish();
    stage.nowMs += 1;
  }
  expect(stage.checks.size).toMatchObject({ waiting: 0 });
  expect(stage.checks.size.lines).toBeLessThanOrEqual(4096);
});

test('one customer of IPv6 is one address', () => {
  expect(placeOf('2001:db8:0:1:ffff::2')).toBe(placeOf('2001:db8:0:1::1'));
  expect(placeOf('2001:db8:0:1::1')).not.toBe(placeOf('2001:db8:0:2::1'));
  expect(placeOf('2001:DB8::1')).toBe(placeOf('2001:0db8:0:0:1:2:3:4'));
  expect(placeOf('fe80::1%eth0')).toBe(placeOf('fe80::2%eth1'));
  expect(placeOf('::ffff:10.0.0.1')).toBe('10.0.0.1');
  expect(placeOf('::1')).not.toBe(placeOf('127.0.0.1'));
  expect(placeOf('')).toBe('');
});

test('while 200 addresses guess, another waits for the checks under way and one more', async () => {
  const stage = new Stage();
  const guess = (): void => {
    for (let n = 0; n < 200; n++) {
      void stage.ask('guest', { address: `10.9.0.${n}`, password: `p${stage.begun.length}` });
    }
  };
  guess();
  await stage.finish();
  for (let round = 0; round < 20; round++) {
    guess();
    const before = stage.begun.length;
    const login = stage.ask('alice', { address: '10.0.0.1', password: `${round}`, right: true });
    await stage.passes(1000);
    expect((await login).user).not.toBeNull();
    expect(stage.begun.indexOf('alice', before) - before).toBeLessThanOrEqual(2);
  }
});

test('addresses that were wrong have their turns, however many others come', async () => {
  const stage = new Stage();
  void stage.ask('mallory', { address: '10.9.0.1' });
  await stage.finish();
  void stage.ask('mallory', { address: '10.9.0.1', password: 'y' });
  void stage.ask('mallory', { address: '10.9.0.1', password: 'z' });
  for (let n = 0; n < 500; n++) {
    const address = `10.8.${n >> 8}.${n & 255}`;
    void stage.ask('app', { address, password: `${n}`, right: true });
  }
  await stage.finish();
  expect(stage.begun.lastIndexOf('mallory')).toBeLessThanOrEqual(1010 / 2);
});

test('a login is before those of new addresses for which more wait', async () => {
  const stage = new Stage();
  for (let n = 0; n < 2000; n++) {
    void stage.ask(`user${n % 10}`, { address: `10.9.0.${n % 200}`, password: `p${n}` });
  }
  const before = stage.begun.length;
  const login = stage.ask('alice', { address: '10.0.0.1', right: true });
  await stage.finish();
  expect((await login).user).not.toBeNull();
  expect(stage.begun.indexOf('alice') - before).toBeLessThanOrEqual(2);
});

test('an address is as any other a minute after it was wrong', async () => {
  const stage = new Stage();
  void stage.ask('alice');
  await stage.finish();
  stage.nowMs += 60_000;
  for (let n = 0; n < 100; n++) {
    void stage.ask('guest', { address: `10.9.0.${n}` });
    await stage.finish();
  }
  for (let n = 0; n < 100; n++) void stage.ask('guest', { address: `10.9.0.${n}`, password: 'y' });
  const before = stage.begun.length;
  const login = stage.ask('alice', { password: 'y', right: true });
  await stage.finish();
  expect((await login).user).not.toBeNull();
  expect(stage.begun.indexOf('alice', before) - before).toBeLessThanOrEqual(2);
});

test('where too many logins wait in all, those of the addresses with most of them give way', async () => {
  const stage = new Stage();
  for (let n = 0; n < 8192; n++) {
    void stage.ask(`user${n >> 4}`, { address: `10.9.0.${n % 4}`, password: `p${n}` });
  }
  const waiting = stage.checks.size.waiting;
  expect(waiting).toBeGreaterThan(8180);
  for (let n = 0; n < 100; n++) void stage.ask(`late${n}`, { address: '10.9.0.1' });
  const logins = Array.from({ length: 50 }, (_, n) =>
    stage.ask(`app${n}`, { address: `10.0.0.${n}`, right: true }),
  );
  expect(stage.checks.size.waiting).toBeLessThanOrEqual(8192);
  await stage.finish();
  expect((await Promise.all(logins)).every(({ user }) => user !== null)).toBe(true);
});
