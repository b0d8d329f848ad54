// The guard itself, and that nothing in src is attached to sockets, timers and promises without it.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Guard } from '../../src/util/guard.ts';
import { TICK_MS, TimerWheel, WheelTimer } from '../../src/util/timers.ts';

class HandClock {
  ms = 0;
  monotonicMs = (): number => this.ms;
  wallMs = (): number => this.ms;
}

function makeGuard(isFatal: (error: unknown) => boolean = () => false) {
  const lines: object[] = [];
  const clock = new HandClock();
  const guard = new Guard({ error: (fields) => lines.push(fields) }, clock, isFatal);
  return { guard, lines, clock };
}

const bug = (): never => {
  throw new Error('bug');
};

test('a listener that throws ends its peer, is logged with its place and counted', () => {
  const { guard, lines } = makeGuard();
  const ended: string[] = [];
  const listener = guard.listener<[string]>('here', bug, (peer) => ended.push(peer));
  listener('one');
  listener('two');
  expect(ended).toEqual(['one', 'two']);
  expect(guard.caught).toBe(2);
  expect(lines).toMatchObject([{ where: 'here', err: { message: 'bug' } }, { where: 'here' }]);
});

test('also ending the peer may throw', () => {
  const { guard, lines } = makeGuard();
  guard.listener('here', bug, bug)();
  expect(lines).toHaveLength(2);
});

test('what ends the broker does not end a peer', () => {
  const fatal: unknown[] = [];
  const { guard, lines } = makeGuard((error) => fatal.push(error) > 0);
  guard.listener('here', bug, () => fatal.push('peer'))();
  expect(fatal).toHaveLength(1);
  expect([guard.caught, lines]).toEqual([0, []]);
});

test('many exceptions make few lines, and the next line says how many were left out', () => {
  const { guard, lines, clock } = makeGuard();
  const listener = guard.listener('here', bug);
  for (let n = 0; n < 1000; n++) listener();
  expect(lines).toHaveLength(10);
  clock.ms += 10_000;
  listener();
  expect(lines[10]).toMatchObject({ unsaid: 990 });
  expect(guard.caught).toBe(1001);
});

test('a promise that nothing waits for does not end the process', async () => {
  const { guard, lines } = makeGuard();
  const ended = new Promise<void>((resolve) => {
    guard.promise('there', Promise.reject(new Error('bug')), resolve);
  });
  await ended;
  expect(lines).toMatchObject([{ where: 'there' }]);
});

test('a timer that throws does not keep the others from firing', () => {
  const { guard, lines, clock } = makeGuard();
  const wheel = new TimerWheel(clock, TICK_MS, (error) => guard.failed('timer', error));
  let fired = 0;
  for (const act of [bug, () => fired++, bug, () => fired++]) {
    wheel.schedule(new WheelTimer(act), 50);
  }
  clock.ms += 1000;
  wheel.advance();
  expect(fired).toBe(2);
  expect(lines).toHaveLength(2);
});

// --- everything in src ---

/** What hands a function to the runtime, to be called later with nothing around it. */
const ATTACHING =
  /\.(?:on|once|addListener|prependListener|then|finally)\(|\b(?:setTimeout|setInterval|setImmediate|nextTurn|queueMicrotask|nextTick)\(|\bvoid [\w.]+(?:\?\.\w+)?\(|new PreciseTimer\(|\bcreate(?:Http)?Server\(/;

/** Rooms that no peer's bytes reach: programs of their own, and what runs before a port is open. */
const OTHER_ROOMS = ['src/cli/', 'src/perf/', 'src/management/ui/', 'src/embed/'];

/** Lines that need no guard, by a part of their text, with the reason. */
const EXPLAINED: readonly { file: string; text: string; why: string }[] = [
  {
    file: 'src/util/guard.ts',
    text: 'promise.then(nothing',
    why: 'the guard itself',
  },
  {
    file: 'src/util/timers.ts',
    text: 'setInterval(() => this.advance()',
    why: 'the wheel catches what each of its timers throws and hands it to the guard',
  },
  {
    file: 'src/util/timers.ts',
    text: 'setTimeout(this.fire, delay)',
    why: 'a PreciseTimer is attached by its owners, which are listed',
  },
  {
    file: 'src/server/listen/socket-events.ts',
    text: "socket.on('data'",
    why: 'Connection.onData catches what frames throw; the turn that it may run is the broker’s own',
  },
  {
    file: 'src/server/turn/turn.ts',
    text: 'setImmediate(this.endSoon)',
    why: 'the turn: what it throws is in the midst of a change and ends the process',
  },
  {
    file: 'src/server/turn/expiry-timer.ts',
    text: 'new PreciseTimer(',
    why: 'wants a turn, and does nothing else',
  },
  {
    file: 'src/management/http/form-file.ts',
    text: "file.on('data'",
    why: 'keeps the bytes',
  },
  {
    file: 'src/management/http/form-file.ts',
    text: "file.on('error'",
    why: 'settles a promise',
  },
  {
    file: 'src/management/http/form-file.ts',
    text: "form.on('file'",
    why: 'keeps what comes of one file',
  },
  {
    file: 'src/management/http/form-file.ts',
    text: "form.on('finish'",
    why: 'settles a promise',
  },
  {
    file: 'src/management/http/form-file.ts',
    text: "form.on('error'",
    why: 'settles a promise',
  },
  {
    file: 'src/server/listen/listener.ts',
    text: "netServer.once('error', refused)",
    why: 'rejects the promise of the start',
  },
  {
    file: 'src/server/listen/listener.ts',
    text: "netServer.once('listening', opened)",
    why: 'notes the port and resolves the promise of the start',
  },
  {
    file: 'src/server/listen/listener.ts',
    text: "socket.once('close', () => this.sockets.delete(socket))",
    why: 'takes a member out of a set, and does nothing else',
  },
  {
    file: 'src/server/view/server-view.ts',
    text: 'this.durable(batch).then(() => routed)',
    why: 'returned to the route that waits for it',
  },
  {
    file: 'src/management/turn-share.ts',
    text: 'setImmediate(this.turn)',
    why: 'resolves promises, or begins requests that are under the guard themselves',
  },
  {
    file: 'src/management/turn-share.ts',
    text: 'queueMicrotask(() => process.nextTick(this.next))',
    why: 'the same',
  },
  {
    file: 'src/management/routes/queues.ts',
    text: 'setImmediate(resolve)',
    why: 'resolves a promise that is waited for',
  },
  {
    file: 'src/management/listen.ts',
    text: "socket.on('error', cut)",
    why: 'destroys the socket, and does nothing else',
  },
  {
    file: 'src/management/listen.ts',
    text: "listener.once('error', reject)",
    why: 'rejects the promise of the start',
  },
  {
    file: 'src/management/listen.ts',
    text: "listener.on('error', failed)",
    why: 'an error of the port itself, which is logged',
  },
  {
    file: 'src/management/listen.ts',
    text: "server.on('tlsClientError'",
    why: 'destroys the socket, and does nothing else',
  },
  {
    file: 'src/management/listen.ts',
    text: 'createHttpServer(',
    why: 'has no listener yet',
  },
  {
    file: 'src/server/listen/listener.ts',
    text: "netServer.on('error'",
    why: 'an error of the port itself, which is logged',
  },
  {
    file: 'src/server/backpressure/resource-monitor.ts',
    text: 'diskFree().then(',
    why: 'what it finds is told to connections under the guard, by Server.alarmsChanged',
  },
  {
    file: 'src/server/listen/listener.ts',
    text: 'context.createServer({',
    why: 'is given its listeners below',
  },
  {
    file: 'src/management/answers/answers.ts',
    text: "response.once('close'",
    why: 'gives back what was counted, and does nothing else',
  },
  {
    file: 'src/management/answers/gzips.ts',
    text: "packed.once('close'",
    why: 'gives back what was counted, and does nothing else',
  },
  {
    file: 'src/management/answers/answers.ts',
    text: 'setImmediate(resolve)',
    why: 'resolves a promise that is waited for',
  },
  {
    file: 'src/management/http/bodies.ts',
    text: "response.once('close'",
    why: 'gives back what was counted, and does nothing else',
  },
  {
    file: 'src/management/http/control-socket.ts',
    text: "'error'",
    why: 'cuts the socket, settles a promise that is waited for, or writes a line',
  },
  {
    file: 'src/management/http/sockets.ts',
    text: "socket.once('close', () => this.remove(socket))",
    why: 'takes a member out of a map, and does nothing else',
  },
  {
    file: 'src/server/listen/stream-socket.ts',
    text: "stream.once('close'",
    why: 'counts, and does nothing else',
  },
  {
    file: 'src/management/principal.ts',
    text: 'view.abandonLogins(socket)',
    why: 'takes logins out of a line, and does nothing else',
  },
  {
    file: 'src/broker/access/login-checks.ts',
    text: 'check.run().then(',
    why: 'hands answers to promises that are waited for; the line of logins is the broker’s own',
  },
  {
    file: 'src/broker/access/login.ts',
    text: 'new PreciseTimer(',
    why: 'starts checks whose answers are waited for',
  },
  {
    file: 'src/store/',
    text: '',
    why: 'no peer’s bytes decide what the store’s own timers and callbacks do; a failure there is the end',
  },
  {
    file: 'src/boot/node-usage.ts',
    text: 'void this.look()',
    why: 'catches all that it throws',
  },
  {
    file: 'src/server/connection/hand-over.ts',
    text: "node.on('error'",
    why: 'cuts it',
  },
  {
    file: 'src/server/connection/hand-over.ts',
    text: 'client.o',
    why: 'notes that it has gone, or cuts it',
  },
  {
    file: 'src/server/listen/proxied-sockets.ts',
    text: 'socket.o',
    why: 'notes that it has gone, or cuts it',
  },
  {
    file: 'src/cluster/',
    text: '',
    why: 'of what nodes send that know the secret, and each such callback only ends, notes or resolves something',
  },
  {
    file: 'src/util/proxy/join-sockets.ts',
    text: '',
    why: 'each only ends a socket, or clears the timer that would',
  },
  ...['new PreciseTimer(', "response.once('close'", "got.on('error'", "socket.once('close'"].map(
    (text) => ({
      file: 'src/management/cluster/hand-on.ts',
      text,
      why: 'only ends what is handed on, or counts that it has ended',
    }),
  ),
  {
    file: 'src/boot/cluster/',
    text: '',
    why: 'no peer’s bytes decide what these do',
  },
  {
    file: 'src/boot/serve.ts',
    text: 'failed.then(',
    why: 'part of a race that the start waits for',
  },
];

/** The texts of calls that attach something, from the name to the end of the line it is on. */
function* attachments(): Iterable<{ file: string; line: number; text: string; around: string }> {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const src = join(root, 'src');
  for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith('.ts')) continue;
    const path = join(entry.parentPath, entry.name);
    const file = path.slice(root.length);
    if (OTHER_ROOMS.some((room) => file.startsWith(room))) continue;
    const lines = readFileSync(path, 'utf8').split('\n');
    for (const [at, text] of lines.entries()) {
      if (/^\s*(?:\/\/|\*|\/\*|import )/.test(text) || !ATTACHING.test(text)) continue;
      // A call may be cut over lines; what is given to it comes soon after.
      const around = lines.slice(at, at + 4).join('\n');
      yield { file, line: at + 1, text: text.trim(), around };
    }
  }
}

const isGuarded = (around: string): boolean => /[gG]uard\.(?:listener|promise)\(/.test(around);

/** Listeners that were wrapped before, and promises that are given to the guard behind. */
function isKept(file: string, text: string): boolean {
  const whole = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
  const given = /(\w+)\);$/.exec(text)?.[1];
  const isWrapped = new RegExp(`const ${given} = [\\w.]*[gG]uard\\.listener\\(`).test(whole);
  if (given !== undefined && isWrapped) return true;
  const name = /^(?:const|let) (\w+)\b/.exec(text)?.[1];
  if (name === undefined) return false;
  return new RegExp(`[gG]uard\\.promise\\([^;]*\\b${name}\\b`).test(whole);
}

test('every listener, timer and callback is under the guard, or explained', () => {
  const bare: string[] = [];
  const used = new Set<object>();
  let guarded = 0;
  for (const { file, line, text, around } of attachments()) {
    const why = EXPLAINED.find((each) => file.startsWith(each.file) && text.includes(each.text));
    if (why !== undefined) used.add(why);
    else if (isGuarded(around) || isKept(file, text)) guarded += 1;
    else bare.push(`${file}:${line}: ${text}`);
  }
  expect(bare).toEqual([]);
  expect(guarded).toBeGreaterThan(10);
  expect(EXPLAINED.filter((each) => !used.has(each))).toEqual([]);
});
