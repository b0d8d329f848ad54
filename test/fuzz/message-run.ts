// Owns playing a case of messages against a broker, and judging each answer. Never makes one up.
import type { RawConnection } from '../support/amqp-raw.ts';
import {
  encodeContent,
  encodeHeaderPayload,
  encodeMethod,
  type Fields,
  type Frame,
} from '../support/amqp-wire.ts';
import type { Bystander } from './bystander.ts';
import { Finding, type FuzzBroker } from './fuzz-broker.ts';
import { Ledger } from './ledger.ts';
import type { OddProperties, Op, Settle } from './message-cases.ts';
import { bytesOf, type Entries, jsonOf, shortOf, type Text, tableOf } from './values.ts';

/** What a peer may be closed with: all codes of the specification but 541. */
export const CODES = new Set([
  311, 312, 313, 320, 402, 403, 404, 405, 406, 501, 502, 503, 504, 505, 506, 530, 540,
]);
const CHANNELS_MAX = 2000;
const DRAINED_MAX = 500;
/** How often a queue may have it wait that something comes, and for how long each time: the slowest rate of a case. */
const WAITS_MAX = 100;
const HOUR_MS = 3_600_000;

/** Plays a case in a vhost of its own, which is gone afterwards; throws a Finding. */
export async function runMessageCase(
  broker: FuzzBroker,
  bystander: Bystander,
  ops: readonly Op[],
  vhost: string,
): Promise<void> {
  const run = new MessageRun(broker, vhost);
  await expectStatus(broker, 'PUT', `/api/vhosts/${vhost}`, '{}');
  const rights = '{"configure":".*","write":".*","read":".*"}';
  await expectStatus(broker, 'PUT', `/api/permissions/${vhost}/guest`, rights);
  for (const op of [...witness(ops), ...ops]) {
    if (op.op === 'restart') {
      bystander.leave();
      await run.play(op);
    } else {
      await bystander.join();
      await Promise.all([bystander.echo(), run.play(op)]);
    }
    broker.expectSound();
  }
  await Promise.all([bystander.echo(), run.finish()]);
  await expectStatus(broker, 'DELETE', `/api/vhosts/${vhost}`);
  broker.expectSound();
}

/** What is there in every case: a case only says which arguments W has. */
function witness(ops: readonly Op[]): Op[] {
  const own = ops.find((op) => op.op === 'queue' && op.name === 'W');
  const plain: Op = { op: 'queue', name: 'W', durable: true, args: REQUIRED['W'] ?? [] };
  const bind = (from: string, to: string): Op => {
    return { op: 'bind', from, to, queue: true, key: '', args: [] };
  };
  return [
    { op: 'exchange', name: 'F', type: 'fanout', args: [] },
    { op: 'exchange', name: 'D2', type: 'fanout', args: [] },
    { op: 'queue', name: 'W2', durable: true, args: [] },
    own ?? plain,
    bind('F', 'W'),
    bind('D2', 'W2'),
  ];
}

async function expectStatus(
  broker: FuzzBroker,
  method: string,
  path: string,
  body?: string,
): Promise<void> {
  const { status, text } = await broker.http(method, path, body ?? null);
  if (status >= 300) throw new Finding('http', `${method} ${path} answers ${status}: ${text}`);
}

class MessageRun {
  private readonly broker: FuzzBroker;
  private readonly vhost: string;
  private readonly ledger = new Ledger();
  private raw: RawConnection | null = null;
  private nextChannel = 2;
  /** The channel in use, until it is closed. */
  private open = 0;

  constructor(broker: FuzzBroker, vhost: string) {
    this.broker = broker;
    this.vhost = vhost;
  }

  async play(op: Op): Promise<void> {
    switch (op.op) {
      case 'exchange': {
        const fields = { exchange: shortOf(op.name), type: shortOf(op.type), durable: true };
        return this.declare('exchange.declare', fields, op.args);
      }
      case 'queue': {
        const fields = { queue: shortOf(op.name), durable: op.durable };
        return this.declare('queue.declare', fields, op.args, REQUIRED[String(op.name)] ?? []);
      }
      case 'bind':
      case 'unbind':
        return this.bind(op);
      case 'publish':
        return this.publish(op);
      case 'get':
        return this.get(op.queue, op.settle, op.times);
      case 'consume':
        return this.consume(op.queue, op.settle, op.args);
      case 'reply':
        return this.reply(op.headers, op.replyTo);
      case 'advance':
        return this.broker.advance(op.ms);
      case 'restart':
        this.raw?.drop();
        this.raw = null;
        this.ledger.noteRestart(op.hard);
        return this.broker.restart(op.hard);
      default:
        return this.playHttp(op);
    }
  }

  /** Empties all queues, and looks whether each message is where it has to be. */
  async finish(): Promise<void> {
    await this.expectNothingAside();
    for (const queue of ['S', 'T', 'U']) await this.drain(queue);
    const found = [...(await this.drain('W')), ...(await this.drain('W2'))];
    this.ledger.expectConserved(found);
    this.raw?.drop();
    for (const list of ['queues', 'exchanges', 'bindings']) {
      await this.http('GET', `/api/${list}/${this.vhost}`, null, 200);
    }
    await this.http('GET', `/api/definitions/${this.vhost}`, null, 200);
  }

  /** What is set aside ended nothing, and yet something threw: a finding. A build of old knows no such list. */
  private async expectNothingAside(): Promise<void> {
    const path = `/api/set-aside/${this.vhost}`;
    const { status, text } = await this.broker.http('GET', path);
    if (status === 404) return;
    if ((JSON.parse(text) as unknown[]).length > 0)
      throw new Finding('aside', `${path}: ${text.slice(0, 1000)}`);
  }

  // --- methods ---

  /** Sends on a channel of its own, and gives the answer, or the close in its place. */
  private async call(name: string, fields: Fields): Promise<Frame> {
    const channel = await this.channel();
    const raw = this.raw as RawConnection;
    raw.send(channel, name, fields);
    const reply = await this.next(channel);
    this.end(channel);
    return reply;
  }

  private async declare(
    name: string,
    fields: Fields,
    args: Entries,
    needed: Entries = [],
  ): Promise<void> {
    const reply = await this.call(name, { ...fields, arguments: tableOf(args) });
    if (reply.name === `${name}-ok` || needed.length === 0) return;
    // What is refused is declared without what is odd: the witness has to be there.
    await this.call(name, { ...fields, arguments: tableOf(needed) });
  }

  private async bind(op: Extract<Op, { op: 'bind' | 'unbind' }>): Promise<void> {
    const ends = op.queue
      ? { queue: shortOf(op.to), exchange: shortOf(op.from) }
      : { destination: shortOf(op.to), source: shortOf(op.from) };
    const fields = { ...ends, routingKey: shortOf(op.key), arguments: tableOf(op.args) };
    await this.call(`${op.queue ? 'queue' : 'exchange'}.${op.op}`, fields);
  }

  private async publish(op: Extract<Op, { op: 'publish' }>): Promise<void> {
    const { id, body } = this.ledger.newBody(op.bodyBytes);
    const properties = wireProperties(op.properties, op.headers);
    const sent = encodeHeaderPayload(body.length, properties);
    const changed = op.how === 'http' || changes(op);
    const persistent = op.properties.deliveryMode === 2;
    this.ledger.add(id, body, changed ? null : sent, persistent, op.exchange === 'F');
    if (op.how === 'http') return this.publishByHttp(op, id, body);
    const channel = await this.channel();
    const raw = this.raw as RawConnection;
    if (op.how === 'confirm') await raw.call(channel, 'confirm.select');
    if (op.how === 'tx') await raw.call(channel, 'tx.select');
    const fields = {
      exchange: shortOf(op.exchange),
      routingKey: shortOf(op.key),
      mandatory: op.mandatory,
    };
    raw.write(
      Buffer.concat([
        encodeMethod(channel, 'basic.publish', fields),
        encodeContent(channel, properties, body),
      ]),
    );
    if (op.how === 'tx') raw.send(channel, 'tx.commit');
    if (op.how === 'plain') raw.send(channel, 'basic.qos', { prefetchCount: 1 });
    const reply = await this.next(channel, [
      'basic.ack',
      'basic.nack',
      'tx.commit-ok',
      'basic.qos-ok',
    ]);
    if (reply.name === 'basic.ack' || reply.name === 'tx.commit-ok') this.ledger.confirm(id);
    this.end(channel);
  }

  private async publishByHttp(
    op: Extract<Op, { op: 'publish' }>,
    id: string,
    body: Buffer,
  ): Promise<void> {
    const { expiration, priority, deliveryMode, replyTo, messageId, timestamp, userId } =
      op.properties;
    const said: [string, string | undefined][] = [
      ['expiration', quoted(expiration)],
      ['priority', priority === undefined ? undefined : String(priority)],
      ['delivery_mode', String(deliveryMode ?? 1)],
      ['reply_to', quoted(replyTo)],
      ['message_id', quoted(messageId)],
      ['timestamp', timestamp],
      ['user_id', quoted(userId)],
      ['headers', op.headers === null ? undefined : jsonOf(['F', op.headers])],
    ];
    const properties = said.flatMap(([key, value]) =>
      value === undefined ? [] : [`"${key}":${value}`],
    );
    const json =
      `{"properties":{${properties.join()}},"routing_key":${JSON.stringify(bytesOf(op.key).toString())},` +
      `"payload":${JSON.stringify(body.toString())},"payload_encoding":"string"}`;
    const exchange = String(op.exchange) || 'amq.default';
    const { status } = await this.http(
      'POST',
      `/api/exchanges/${this.vhost}/${exchange}/publish`,
      json,
    );
    if (status === 200) this.ledger.confirm(id);
  }

  private async get(queue: Text, settle: Settle, times: number): Promise<void> {
    const channel = await this.channel();
    const raw = this.raw as RawConnection;
    const bodies: Buffer[] = [];
    for (let n = 0; n < times && this.open === channel; n++) {
      raw.send(channel, 'basic.get', { queue: shortOf(queue), noAck: settle === 'no-ack' });
      const reply = await this.next(channel);
      if (reply.name !== 'basic.get-ok') break;
      bodies.push(await this.received(queue, channel));
    }
    await this.settle(channel, settle, queue, bodies);
    this.end(channel);
  }

  /** Takes the content of a message, and looks whether it is as it was sent. */
  private async received(queue: Text, channel: number): Promise<Buffer> {
    const header = await this.next(channel);
    const body = await this.body(channel, header);
    const where = String(queue);
    this.ledger.expectKnown(where, body);
    const payload = header['payload'] as Buffer;
    this.ledger.expectUntouched(where, body, payload, header['properties'] as Fields);
    return body;
  }

  private async body(channel: number, header: Frame): Promise<Buffer> {
    const raw = this.raw as RawConnection;
    const pieces: Buffer[] = [];
    for (let left = header['bodySize'] as number; left > 0; ) {
      const piece = (await raw.next(channel))['payload'] as Buffer;
      pieces.push(piece);
      left -= piece.length;
    }
    return Buffer.concat(pieces);
  }

  /** Settles all that the channel holds, in one way. */
  private async settle(
    channel: number,
    settle: Settle,
    queue: Text,
    bodies: Buffer[],
  ): Promise<void> {
    const raw = this.raw;
    const isWitness = queue === 'W' || queue === 'W2';
    const drops = queue === 'W2' && (settle === 'reject' || settle === 'nack');
    const ends = isWitness && (settle === 'ack' || settle === 'no-ack' || drops);
    if (ends) for (const body of bodies) this.ledger.take(body);
    if (bodies.length === 0 || raw === null || this.open !== channel) return;
    const all = { deliveryTag: 0, multiple: true };
    if (settle === 'ack') raw.send(channel, 'basic.ack', all);
    if (settle === 'nack' || settle === 'reject')
      raw.send(channel, 'basic.nack', { ...all, requeue: false });
    if (settle === 'requeue') raw.send(channel, 'basic.nack', { ...all, requeue: true });
    if (settle === 'recover') raw.send(channel, 'basic.recover', { requeue: true });
    if (settle === 'drop') {
      raw.drop();
      this.raw = null;
    }
    if (settle === 'close' || settle === 'drop') return;
    raw.send(channel, 'basic.qos', { prefetchCount: 1 });
    await this.next(channel, ['basic.qos-ok']);
  }

  private async consume(queue: Text, settle: Settle, args: Entries): Promise<void> {
    const channel = await this.channel();
    const raw = this.raw as RawConnection;
    await raw.call(channel, 'basic.qos', { prefetchCount: 3 });
    const fields = { queue: shortOf(queue), consumerTag: 'c', noAck: settle === 'no-ack' };
    raw.send(channel, 'basic.consume', { ...fields, arguments: tableOf(args) });
    const reply = await this.next(channel);
    if (reply.name === 'basic.consume-ok') {
      // What is there comes before the answer to what was asked in a later turn.
      raw.send(channel, 'queue.declare', { queue: 'W', passive: true });
      const bodies = await this.deliveries(queue, channel);
      raw.send(channel, 'basic.cancel', { consumerTag: 'c' });
      bodies.push(...(await this.deliveries(queue, channel)));
      await this.settle(channel, settle, queue, bodies);
    }
    this.end(channel);
  }

  /** What is delivered before the next answer. */
  private async deliveries(queue: Text, channel: number): Promise<Buffer[]> {
    const bodies: Buffer[] = [];
    for (;;) {
      const frame = await this.next(channel);
      if (frame.name !== 'basic.deliver') return bodies;
      bodies.push(await this.received(queue, channel));
    }
  }

  /** A request to the wilderness whose answer goes back over the pseudo-queue. */
  private async reply(headers: Entries, replyTo: Text): Promise<void> {
    const channel = await this.channel();
    const raw = this.raw as RawConnection;
    const source = { queue: 'amq.rabbitmq.reply-to', consumerTag: 'r', noAck: true };
    const consumed = await raw.call(channel, 'basic.consume', source);
    const { id, body } = this.ledger.newBody(0);
    this.ledger.add(id, body, null, false, false);
    if (consumed.name === 'basic.consume-ok') {
      const properties = { replyTo: shortOf(replyTo), headers: tableOf(headers) };
      raw.publish(channel, { routingKey: 'S' }, properties, body);
      raw.send(channel, 'basic.get', { queue: 'S', noAck: true });
      const got = await this.next(channel, ['basic.get-ok', 'basic.get-empty']);
      if (got.name === 'basic.get-ok') {
        const header = await this.next(channel);
        const address = ((header['properties'] as Fields)['replyTo'] ?? '') as string;
        raw.publish(channel, { routingKey: shortOf(address) }, properties, body);
        raw.send(channel, 'basic.qos', { prefetchCount: 1 });
        await this.next(channel, ['basic.qos-ok']);
      }
    }
    this.end(channel);
  }

  // --- over HTTP ---

  private async playHttp(op: Op): Promise<void> {
    const { vhost } = this;
    const queue = (name: Text): string =>
      `/api/queues/${vhost}/${encodeURIComponent(String(name))}`;
    switch (op.op) {
      case 'policy': {
        const path = `/api/${op.operator ? 'operator-policies' : 'policies'}/${vhost}/p`;
        if (op.definition === null) return void (await this.http('DELETE', path));
        // The witness keeps its messages: no queue of it may go.
        const pattern = op.definition.includes('"expires"') ? '^[^W]' : '^([^W].*|W)?$';
        const json = `{"pattern":"${pattern}","definition":${op.definition},"apply-to":"all"}`;
        return void (await this.http('PUT', path, json));
      }
      case 'trace':
        return void (await this.http('PUT', `/api/vhosts/${vhost}`, `{"tracing":${op.on}}`));
      case 'http-get': {
        const json = `{"ackmode":"${op.mode}","count":3,"encoding":"auto"}`;
        const { status, text } = await this.http('POST', `${queue(op.queue)}/get`, json);
        const drops =
          op.mode === 'ack_requeue_false' ||
          (op.mode === 'reject_requeue_false' && op.queue === 'W2');
        const isWitness = op.queue === 'W' || op.queue === 'W2';
        if (status !== 200 || !drops || !isWitness) return;
        for (const { payload } of JSON.parse(text) as { payload: string }[])
          this.ledger.take(payload);
        return;
      }
      case 'browse':
        return void (await this.http('GET', `${queue(op.queue)}/messages?${op.query}`));
      case 'move': {
        if (op.to === null && op.from !== 'W2') this.ledger.inexact = true;
        const json = op.to === null ? '{}' : `{"to":${JSON.stringify(op.to)}}`;
        return void (await this.http('POST', `${queue(op.from)}/redrive`, json));
      }
      case 'purge':
        return void (await this.http('DELETE', `${queue(op.queue)}/contents`));
      case 'delete':
        return void (await this.http('DELETE', queue(op.queue)));
      default:
        throw new Error(`there is no way to play ${op.op}`);
    }
  }

  private async http(method: string, path: string, body: string | null = null, wanted?: number) {
    const answer = await this.broker.http(method, path, body);
    if (answer.status >= 500 || (wanted !== undefined && answer.status !== wanted)) {
      const text = `${method} ${path} ${body?.slice(0, 500) ?? ''} answers ${answer.status}`;
      throw new Finding('http', `${text}: ${answer.text.slice(0, 500)}`);
    }
    return answer;
  }

  // --- channels ---

  private async channel(): Promise<number> {
    if (this.raw === null || this.raw.closed || this.nextChannel > CHANNELS_MAX) {
      this.raw?.drop();
      this.raw = await this.broker.open({ vhost: this.vhost });
      this.nextChannel = 2;
    }
    const channel = this.nextChannel;
    this.nextChannel += 1;
    await this.raw.openChannel(channel);
    this.open = channel;
    return channel;
  }

  /** Closes the channel, if that can still be; who waits for the answer waits in vain. */
  private end(channel: number): void {
    if (this.open === channel) this.raw?.send(channel, 'channel.close', { replyCode: 200 });
    this.open = 0;
  }

  /** The next frame, or the next that is wanted or a close. */
  private async next(channel: number, wanted: readonly string[] | null = null): Promise<Frame> {
    for (;;) {
      const raw = this.raw as RawConnection;
      const frame = await raw.next(channel).catch((error: Error) => {
        this.broker.expectSound();
        throw new Finding('hang', error.message);
      });
      if (frame.name === 'socket closed') {
        if (!raw.socket.destroyed) await this.broker.expectAlive();
        return frame;
      }
      if (frame.name === 'connection.close' || frame.name === 'channel.close') {
        const code = frame['replyCode'] as number;
        if (!CODES.has(code)) throw new Finding(`code ${code}`, JSON.stringify(frame));
        if (frame.name === 'connection.close') raw.drop();
        else raw.send(channel, 'channel.close-ok');
        if (frame.name === 'connection.close') this.raw = null;
        if (this.open === channel) this.open = 0;
        return frame;
      }
      if (wanted === null || wanted.includes(frame.name)) return frame;
    }
  }

  private async drainByConsuming(queue: string): Promise<Buffer[]> {
    const channel = await this.channel();
    const raw = this.raw as RawConnection;
    raw.send(channel, 'basic.consume', { queue, consumerTag: 'c', noAck: true });
    await this.next(channel);
    const bodies: Buffer[] = [];
    for (let n = 0; n < 2; n++) {
      raw.send(channel, 'queue.declare', { queue: 'W', passive: true });
      bodies.push(...(await this.deliveries(queue, channel)));
    }
    this.end(channel);
    return bodies;
  }

  /** Whether a queue has what waits for its time or its turn; then it waits no longer. */
  private async comesLater(queue: string): Promise<boolean> {
    const path = `/api/queues/${this.vhost}/${queue}`;
    const { status, text } = await this.broker.http('GET', path);
    if (status !== 200) return false;
    const row = JSON.parse(text) as { messages_ready: number; messages_delayed?: number };
    const delayed = row.messages_delayed ?? 0;
    if (delayed > 0) await this.http('POST', `${path}/delayed`, '{"action":"send"}');
    if (row.messages_ready + delayed > 0) await this.broker.advance(HOUR_MS);
    return row.messages_ready + delayed > 0;
  }

  /** All that is in a queue; a queue that is not there is empty. */
  private async drain(queue: string): Promise<Buffer[]> {
    const bodies: Buffer[] = [];
    let waits = WAITS_MAX;
    for (let n = 0; n < DRAINED_MAX; n++) {
      const channel = await this.channel();
      const raw = this.raw as RawConnection;
      raw.send(channel, 'basic.get', { queue, noAck: true });
      const reply = await this.next(channel);
      // Queues for a single active consumer let nobody get from them.
      if (reply.name === 'channel.close' && reply['replyCode'] !== 404) {
        bodies.push(...(await this.drainByConsuming(queue)));
      }
      if (reply.name !== 'basic.get-ok') {
        if (waits-- > 0 && (await this.comesLater(queue))) continue;
        break;
      }
      const header = await this.next(channel);
      const body = await this.body(channel, header);
      // A firehose and a reply send copies of what was sent; all others are as they were.
      this.ledger.expectKnown(queue, body);
      this.end(channel);
      bodies.push(body);
    }
    return bodies;
  }
}

const REQUIRED: Readonly<Record<string, Entries>> = {
  W: [['x-dead-letter-exchange', ['S', 'D2']]],
  S: [['x-dead-letter-exchange', ['S', 'D']]],
  T: [['x-dead-letter-exchange', ['S', 'X']]],
};

const quoted = (text: Text | undefined): string | undefined =>
  text === undefined ? undefined : JSON.stringify(bytesOf(text).toString());

/** Whether a broker has to change what is published on its way in. */
function changes({ headers, properties }: Extract<Op, { op: 'publish' }>): boolean {
  const copies = (headers ?? []).some(([key]) => key === 'BCC');
  return copies || properties.replyTo !== undefined;
}

function wireProperties(properties: OddProperties, headers: Entries | null): Fields {
  const made: Fields = {};
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'timestamp') made[name] = BigInt(value as string);
    else made[name] = typeof value === 'number' ? value : shortOf(value as Text);
  }
  if (headers !== null) made['headers'] = tableOf(headers);
  return made;
}
