// Owns how one connection ends: the dialogue of close and close-ok, when its socket is ended, when it
// is cut, and why. Never gives back what the connection holds: the connection does, when it is told to.

import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { REPLY_SUCCESS } from '../../amqp/constants.ts';
import type { AmqpError } from '../../amqp/errors.ts';
import type { MethodFields, MethodName } from '../../amqp/spec.ts';
import { type TimerWheel, WheelTimer } from '../../util/timers.ts';
import type { LineQuota } from '../log/line-quota.ts';
import { loginRefused } from '../methods/sasl.ts';
import { ANSWERED, AWAITS_HEADER, CLOSED, CLOSING, RUNNING } from '../states.ts';
import { byBroker, type Ending, type EndReason } from './ending.ts';

/** How long a peer has at most to answer connection.close, or to close its socket after close-ok. */
const CLOSE_TIMEOUT_MS = 30_000;
/** The same for a peer that has not got through the handshake, as in RabbitMQ. */
const STRANGER_TIMEOUT_MS = 3000;
/** How long a socket that this side has ended waits for the end of the other. */
const HANG_UP_TIMEOUT_MS = 5000;
/** While the broker stops, it waits for no peer longer than this. */
const STOP_TIMEOUT_MS = 5000;

/** What the end needs of its connection. */
export interface EndingConnection {
  state: number;
  readonly log: Logger;
  readonly outbox: { endSocket(): void };
  readonly heartbeat: { stop(): void };
  readonly facts: { readonly heartbeatSeconds: number };
  send<N extends MethodName>(name: N, fields: MethodFields<N>): void;
  /** Gives back channels, exclusive queues and places in limits; does nothing the second time. */
  giveUp(then?: () => void): void;
}

/** What it needs of the server. */
export interface EndingServer {
  readonly wheel: TimerWheel;
  readonly lines: LineQuota;
  readonly settings: { readonly handshakeTimeoutMs: number };
}

/** The end of one connection. */
export class Closing {
  /** How it ended, as far as that is known. */
  ending: Ending = { by: 'network', code: 0, key: 0, text: '', reason: null };
  /** Whether the log has a line on it already, or counts one. */
  told = false;
  private readonly connection: EndingConnection;
  private readonly socket: Socket;
  private readonly wheel: TimerWheel;
  private readonly lines: LineQuota;
  private readonly deadline = new WheelTimer(() => this.deadlinePassed());
  /** Whether the peer's close waits for its answer. */
  private answering = false;
  private peerHasEnded = false;
  /** Whether it is closed soon: nothing is acted upon any more, but the peer does not know. */
  private frozen = false;

  /** The time for the handshake begins now. */
  constructor(
    connection: EndingConnection,
    socket: Socket,
    { wheel, lines, settings }: EndingServer,
  ) {
    this.connection = connection;
    this.socket = socket;
    this.wheel = wheel;
    this.lines = lines;
    wheel.schedule(this.deadline, settings.handshakeTimeoutMs);
  }

  /** The handshake is over: there is no deadline any more. */
  opened(): void {
    this.wheel.cancel(this.deadline);
  }

  /** Has a running connection act upon nothing any more, until `byBroker` closes it. */
  freeze(): void {
    const { connection } = this;
    if (connection.state !== RUNNING) return;
    this.frozen = true;
    connection.state = CLOSING;
  }

  /** Sends connection.close and waits for the answer; `key` is the method to blame, 0 for none. */
  byBroker(error: AmqpError, key: number): void {
    const { connection } = this;
    if (this.frozen && connection.state === CLOSING) connection.state = RUNNING;
    this.frozen = false;
    if (connection.state >= CLOSING) return;
    const text = 'connection closed by the broker';
    if (!this.told && this.lines.admits(text)) {
      connection.log.warn({ reason: error.replyText }, text);
    }
    this.told = true;
    this.ending = byBroker(error, key);
    if (connection.state === AWAITS_HEADER) {
      this.hangUp();
      return;
    }
    this.wait(CLOSING);
    connection.send('connection.close', {
      replyCode: error.code,
      replyText: error.replyText,
      classId: key >>> 16,
      methodId: key & 0xffff,
    });
  }

  /** The peer does not speak AMQP 0-9-1: `why` says what it seems to speak. The log has it. */
  refuseProtocol(why: string): void {
    this.told = true;
    this.ending = { by: 'broker', code: 0, key: 0, text: why, reason: 'foreign-protocol' };
    this.hangUp();
  }

  /** The login failed: says so if the client understands it, else hangs up after a while. The log has it. */
  refuseLogin(mechanism: string, understood: boolean): void {
    this.told = true;
    if (understood) this.byBroker(loginRefused(mechanism), 0);
    else this.wait(CLOSING);
  }

  /**
   * The peer sent connection.close. All is given back before the answer, so that a client that has the
   * answer finds nothing of its own. The socket is the peer's to close:
   * a client that reads the end before the answer takes a clean close for a broken one.
   */
  byPeer(replyCode: number, replyText: string): void {
    const text = replyCode === REPLY_SUCCESS ? '' : `${replyCode} ${replyText}`;
    this.ending = { by: 'client', code: replyCode, key: 0, text, reason: null };
    this.answering = true;
    this.wait(ANSWERED, () => this.answer());
  }

  /** All is given back, which may take turns: a peer that has ended its side meanwhile is answered too. */
  private answer(): void {
    this.answering = false;
    this.connection.send('connection.close-ok', {});
    if (this.peerHasEnded) this.hangUp();
  }

  /** Nothing is acted upon any more but the closes of the peer; a deadline ends the wait. */
  private wait(state: typeof CLOSING | typeof ANSWERED, then?: () => void): void {
    const { connection } = this;
    const opened = connection.state === RUNNING;
    const heartbeatMs = connection.facts.heartbeatSeconds * 1000;
    // Before anything is given back: nothing that had to wait goes on now.
    connection.state = state;
    connection.giveUp(then);
    connection.heartbeat.stop();
    const limitMs = opened ? CLOSE_TIMEOUT_MS : STRANGER_TIMEOUT_MS;
    this.wheel.schedule(this.deadline, heartbeatMs > 0 ? Math.min(heartbeatMs, limitMs) : limitMs);
  }

  /** Writes what is left and ends the socket; the other end has to follow. */
  hangUp(): void {
    const { connection, socket } = this;
    if (connection.state === CLOSED) return;
    connection.state = CLOSED;
    connection.giveUp();
    connection.heartbeat.stop();
    connection.outbox.endSocket();
    // What the peer still sends is thrown away, so that its end is seen.
    socket.resume();
    this.wheel.schedule(this.deadline, HANG_UP_TIMEOUT_MS);
  }

  /** The broker stops: a peer that has its answer is let go, the others have less time. */
  hurry(): void {
    const { state } = this.connection;
    if (state === ANSWERED) this.hangUp();
    else if (state === CLOSING) this.wheel.schedule(this.deadline, STOP_TIMEOUT_MS);
  }

  /** The peer sends nothing any more. What it has asked for before is written, as far as it reads. */
  peerEnded(): void {
    if (this.connection.state < CLOSING && this.ending.text === '') {
      this.ending.text = 'the peer hung up without connection.close';
      this.ending.reason = 'hung-up';
    }
    this.peerHasEnded = true;
    if (!this.answering) this.hangUp();
  }

  /** The socket is of no use any more: it is cut. */
  abort(text: string, reason: EndReason | null = null): void {
    if (this.connection.state < ANSWERED && this.ending.text === '') {
      this.ending.text = text;
      this.ending.reason = reason;
    }
    this.socket.destroy();
  }

  /** The socket is gone. */
  over(): void {
    this.wheel.cancel(this.deadline);
  }

  private deadlinePassed(): void {
    const early = this.connection.state < RUNNING;
    this.abort(early ? 'the handshake took too long' : 'the close took too long', 'took-too-long');
  }
}
