import { expect, test } from 'vitest';
import { METHODS as SPEC } from '../../src/amqp/spec.ts';
import { METHODS } from '../support/amqp-methods.ts';
import type { RawConnection } from '../support/amqp-raw.ts';
import { encodeMethod, type Fields, type Frame } from '../support/amqp-wire.ts';
import { useServers } from './support.ts';

const start = useServers();
const ALL = Object.keys(METHODS);
/** Connections under way at a time. */
const ABREAST = 8;

const FIELDS: Record<string, Fields> = {
  'connection.start-ok': { mechanism: 'PLAIN', response: '\0guest\0guest', locale: 'en_US' },
  'connection.tune-ok': { channelMax: 10, frameMax: 4096 },
  'connection.open': { virtualHost: '/' },
  'connection.close': { replyCode: 200 },
  'channel.close': { replyCode: 200 },
  'channel.flow': { active: true },
  'exchange.declare': { exchange: 'x', type: 'fanout' },
  'exchange.delete': { exchange: 'nowhere' },
  'exchange.bind': { destination: 'amq.fanout', source: 'amq.direct' },
  'exchange.unbind': { destination: 'amq.fanout', source: 'amq.direct' },
  'queue.bind': { exchange: 'amq.direct' },
  'queue.unbind': { exchange: 'amq.direct' },
  'basic.reject': { deliveryTag: 7 },
  'basic.recover': { requeue: true },
  'basic.recover-async': { requeue: true },
};

/** A state of a connection or channel: how to get there, and what it answers to each method. */
interface State {
  readonly prepare: (raw: RawConnection) => Promise<unknown>;
  /** How the connection is ended after the method, so that no answer shows as well. */
  readonly ending?: string;
  readonly onChannel0: (name: string) => string;
  readonly onChannel1: (name: string) => string;
}

const IGNORED = '';
const onlyClientSends = (name: string): boolean =>
  SPEC[name as keyof typeof SPEC].from !== 'server';

/** What channel 0 answers when it wants no other method than those in `taken`. */
function channel0(taken: Record<string, string>): (name: string) => string {
  return (name) => {
    if (name === 'connection.close') return IGNORED;
    return taken[name] ?? 'connection.close 504';
  };
}

const always =
  (answer: string) =>
  (name: string): string =>
    name === '' ? name : answer;

const RUNNING_0 = channel0({ 'connection.update-secret': 'connection.update-secret-ok' });

/** What an open channel answers with another method than the `-ok` of the one it was sent. */
const ANSWERS: Record<string, string> = {
  'channel.open': 'connection.close 504',
  'channel.close-ok': IGNORED,
  'channel.flow-ok': IGNORED,
  'basic.cancel-ok': IGNORED,
  'basic.recover-async': IGNORED,
  // Its content never comes; the connection may end even so.
  'basic.publish': IGNORED,
  'basic.get': 'basic.get-empty',
  'basic.ack': 'channel.close 406',
  'basic.nack': 'channel.close 406',
  'basic.reject': 'channel.close 406',
  'tx.commit': 'channel.close 406',
  'tx.rollback': 'channel.close 406',
};

function openChannel(name: string): string {
  if (!onlyClientSends(name) || name.startsWith('connection.')) return 'connection.close 503';
  return ANSWERS[name] ?? `${name}-ok`;
}

const STATES: Record<string, State> = {
  'before the protocol header': {
    prepare: async () => {},
    onChannel0: always('protocol header, socket closed'),
    onChannel1: always('protocol header, socket closed'),
  },
  'before start-ok': {
    prepare: (raw) => raw.start(),
    onChannel0: channel0({ 'connection.start-ok': 'connection.tune' }),
    onChannel1: always('connection.close 504'),
  },
  'before tune-ok': {
    prepare: async (raw) => {
      await raw.start();
      await raw.login();
    },
    onChannel0: channel0({ 'connection.tune-ok': IGNORED }),
    onChannel1: always('connection.close 504'),
  },
  'before open': {
    prepare: async (raw) => {
      await raw.start();
      await raw.login();
      raw.send(0, 'connection.tune-ok', FIELDS['connection.tune-ok']);
    },
    onChannel0: channel0({ 'connection.open': 'connection.open-ok' }),
    onChannel1: always('connection.close 504'),
  },
  'running, the channel not open': {
    prepare: (raw) => raw.open(),
    onChannel0: RUNNING_0,
    onChannel1: (name) => {
      if (name === 'channel.open') return 'channel.open-ok';
      return name === 'channel.close-ok' ? IGNORED : 'connection.close 504';
    },
  },
  'running, the channel open': {
    prepare: async (raw) => {
      await raw.open();
      await raw.openChannel(1);
      await raw.call(1, 'queue.declare', { exclusive: true });
    },
    onChannel0: RUNNING_0,
    onChannel1: openChannel,
  },
  'running, the channel closed for an error': {
    prepare: async (raw) => {
      await raw.open();
      await raw.openChannel(1);
      await raw.call(1, 'queue.declare', { queue: 'missing', passive: true });
    },
    onChannel0: RUNNING_0,
    onChannel1: (name) => (name === 'channel.close' ? 'channel.close-ok' : IGNORED),
  },
  'the connection closed for an error': {
    prepare: async (raw) => {
      await raw.open();
      await raw.openChannel(1);
      await raw.call(0, 'channel.flow');
    },
    ending: 'connection.close-ok',
    onChannel0: (name) => (name === 'connection.close' ? 'connection.close-ok' : IGNORED),
    onChannel1: always(IGNORED),
  },
};

test.each(Object.keys(STATES))('%s: every method has one answer, or none', async (title) => {
  const state = STATES[title] as State;
  const broker = await start();
  for (const channel of [0, 1]) {
    const answer = channel === 0 ? state.onChannel0 : state.onChannel1;
    const found: Record<string, string> = {};
    const left = [...ALL];
    const visit = async (): Promise<void> => {
      for (let name = left.pop(); name !== undefined; name = left.pop()) {
        const raw = await broker.dial();
        await state.prepare(raw);
        found[name] = await answerTo(raw, channel, name, state.ending ?? 'connection.close');
      }
    };
    await Promise.all(Array.from({ length: ABREAST }, visit));
    expect(found, `on channel ${channel}`).toEqual(
      Object.fromEntries(ALL.map((name) => [name, answer(name)])),
    );
  }
  await broker.expectServing();
});

/** Sends a method and the end of the connection; gives all that comes before that is answered. */
async function answerTo(
  raw: RawConnection,
  channel: number,
  name: string,
  ending: string,
): Promise<string> {
  const method = encodeMethod(channel, name, FIELDS[name]);
  raw.write(Buffer.concat([method, encodeMethod(0, ending)]));
  const closing = ending === 'connection.close-ok';
  const answers: string[] = [];
  for (;;) {
    const frame = await raw.next();
    if (frame.name === (closing ? 'socket closed' : 'connection.close-ok')) break;
    answers.push(describe(frame));
    if (frame.name === 'socket closed') break;
    if (frame.name !== 'connection.close') continue;
    raw.send(0, 'connection.close-ok');
    break;
  }
  raw.socket.end();
  await raw.untilClosed();
  return answers.join(', ');
}

function describe(frame: Frame): string {
  const code = frame['replyCode'];
  return code === undefined ? frame.name : `${frame.name} ${code}`;
}
