// Owns the order of the requests of one connection: one is answered at a time, few may wait. Never
// answers one.
//
// Node.js hands out all requests of a chunk at once, and keeps the answers to those that are not the
// first; a peer that sends many and reads none would make it keep as many.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../util/clock.ts';
import type { Guard } from '../../util/guard.ts';
import { type TurnShare, turnShareOf } from '../turn-share.ts';

/** So many requests may wait behind one. No browser and hardly a library sends any. */
const WAITING_MAX = 8;

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

interface Waiting {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** What one connection is about. */
interface Turn {
  answering: boolean;
  /** The answer under way, if one is. */
  response: ServerResponse | null;
  readonly waiting: Waiting[];
}

/** Hands requests to a handler, one at a time for each connection. */
export class Requests {
  private readonly guard: Guard;
  private readonly share: TurnShare;
  private readonly handler: Handler;
  private readonly turns = new WeakMap<Socket, Turn>();

  constructor(guard: Guard, clock: Clock, handler: Handler) {
    this.guard = guard;
    this.share = turnShareOf(clock);
    this.handler = handler;
  }

  /** Takes a request; cuts the connection where too many wait. */
  take(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    if (socket.destroyed) return;
    const turn = this.turnOf(socket);
    if (!turn.answering) {
      this.serve(turn, { request, response });
    } else if (turn.waiting.length < WAITING_MAX) {
      turn.waiting.push({ request, response });
    } else {
      turn.waiting.length = 0;
      socket.destroy();
    }
  }

  /** Whether an answer to a request of this connection is under way. */
  isAnswering(socket: Socket): boolean {
    return this.turns.get(socket)?.answering === true;
  }

  /** Whether some of an answer was written to this connection, and not all. */
  hasBegun(socket: Socket): boolean {
    return this.turns.get(socket)?.response?.headersSent === true;
  }

  private turnOf(socket: Socket): Turn {
    const known = this.turns.get(socket);
    if (known !== undefined) return known;
    const turn: Turn = { answering: false, response: null, waiting: [] };
    this.turns.set(socket, turn);
    const forget = (): void => {
      turn.waiting.length = 0;
    };
    socket.once('close', this.guard.listener('end of requests', forget));
    return turn;
  }

  private serve(turn: Turn, { request, response }: Waiting): void {
    const { socket } = request;
    const cut = (): unknown => socket.destroy();
    turn.answering = true;
    turn.response = response;
    const next = (): void => this.next(turn);
    response.once('close', this.guard.listener('next request', next, cut));
    const begin = (): void => {
      // While it waited its peer may have gone.
      if (!socket.destroyed) this.guard.run('request', () => this.handler(request, response), cut);
    };
    // Hundreds that come at once are begun in several turns.
    if (this.share.spent) this.share.wait(true, begin);
    else begin();
  }

  private next(turn: Turn): void {
    turn.answering = false;
    turn.response = null;
    const next = turn.waiting.shift();
    if (next !== undefined && !next.request.socket.destroyed) this.serve(turn, next);
  }
}
