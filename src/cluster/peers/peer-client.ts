// Owns asking another node over its cluster port. Never decides which node is asked, nor when.

import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { StoreError } from '../../store/errors.ts';
import { PreciseTimer } from '../../util/timers.ts';
import type { SnapshotFacts } from '../snapshots/snapshot-facts.ts';
import { receiveSnapshot } from './fetch-snapshot.ts';
import { type Call, NODE_HEADER, SNAPSHOT_PATH, STATUS_PATH, type Upgrade } from './paths.ts';
import { clientReason, clientTls } from './peer-key.ts';

const ANSWER_MS = 10_000;
const STALL_MS = 30_000;
/** A question for the directory is held back while there is nothing new; a departure waits for a snapshot. */
const CALL_MS: Readonly<Record<Call, number>> = {
  '/directory': 30_000,
  '/departure': 300_000,
  '/arrived': 10_000,
};
/** A longer status is none. */
const STATUS_BYTES_MAX = 2 ** 20;
const CALL_BYTES_MAX = 64 * 2 ** 20;
const HEADERS_BYTES_MAX = 8 * 1024;

/** A peer, and who asks. */
export interface PeerAddress {
  /** The name of the peer, for errors. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** See `peerKey`. */
  readonly key: Buffer;
  /** The name of this node. */
  readonly node: string;
  /** So long may it take until an answer begins; 10 s unless given. */
  readonly answerMs?: number;
  /** A peer that sends nothing of a snapshot for so long is given up; 30 s unless given. */
  readonly stallMs?: number;
}

/** A request. */
interface Asked {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The statuses that are no errors. */
  readonly statuses: readonly number[];
  readonly signal?: AbortSignal | undefined;
  /** See PeerAddress. */
  readonly answerMs?: number;
}

/** What asks one peer. Each call makes a connection of its own. */
export class PeerClient {
  private readonly peer: PeerAddress;

  constructor(peer: PeerAddress) {
    this.peer = peer;
  }

  /** The state of the peer, as JSON that is not checked. Rejects with a StoreError that names it. */
  status(): Promise<string> {
    return this.named(async () => {
      const response = await this.get(STATUS_PATH);
      return this.read(response, STATUS_BYTES_MAX);
    });
  }

  /**
   * Asks the leader of another group; resolves with its text, or null: there is nothing new. Rejects with a StoreError that
   * names the peer, also where `signal` ends it.
   */
  call(
    path: Call,
    given: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<string | null> {
    const query = new URLSearchParams(given).toString();
    return this.named(async () => {
      const response = await this.get(`${path}?${query}`, {
        ...{ statuses: [200, 204], signal },
        answerMs: CALL_MS[path],
      });
      return response.statusCode === 204 ? null : this.read(response, CALL_BYTES_MAX);
    });
  }

  /**
   * Fetches the newest snapshot of the peer into a folder, which is emptied before, as `data.mdb`: whole, durable, and what
   * was written where it was made. The caller checks what is in it. Rejects with a StoreError that names the peer; nothing of
   * it is left then.
   */
  fetchSnapshot(folder: string): Promise<SnapshotFacts> {
    return this.named(async () => {
      const response = await this.get(SNAPSHOT_PATH);
      try {
        return await receiveSnapshot(response, folder, this.peer.stallMs ?? STALL_MS);
      } finally {
        response.destroy();
      }
    });
  }

  /** A connection to what speaks a protocol on the peer. Rejects with a StoreError that names the peer. */
  open(protocol: Upgrade): Promise<Socket> {
    const headers = { connection: 'Upgrade', upgrade: protocol };
    return this.named(() =>
      this.ask({ path: '/', headers, statuses: [] }, (request, resolve) => {
        request.on('upgrade', (_response, socket, head) => {
          socket.on('error', () => socket.destroy());
          // Else a second small write waits until the peer has told of the first, which it may put off for 40 ms.
          socket.setNoDelay(true);
          if (head.length > 0) socket.unshift(head);
          resolve(socket);
        });
      }),
    );
  }

  private async read(response: IncomingMessage, bytesMax: number): Promise<string> {
    const late = new PreciseTimer(() => response.destroy(new Error('it does not go on')));
    late.set(this.peer.answerMs ?? ANSWER_MS);
    try {
      return await textOf(response, bytesMax);
    } finally {
      late.clear();
      response.destroy();
    }
  }

  private get(
    path: string,
    { statuses = [200], ...others }: Partial<Asked> = {},
  ): Promise<IncomingMessage> {
    const asked = { path, headers: {}, statuses, ...others };
    return this.ask<IncomingMessage>(asked, (request, resolve) => {
      request.on('response', (response) => {
        if (statuses.includes(response.statusCode ?? 0)) resolve(response);
      });
    });
  }

  /** Sends a request; `listen` resolves with what is wanted of it. */
  private ask<T>(
    { path, headers, statuses, signal, answerMs = this.peer.answerMs ?? ANSWER_MS }: Asked,
    listen: (request: ClientRequest, resolve: (answer: T) => void) => void,
  ): Promise<T> {
    const { host, port, key, node } = this.peer;
    return new Promise((resolve, reject) => {
      const request = httpsRequest({
        ...clientTls(key),
        host,
        port,
        path,
        headers: { [NODE_HEADER]: node, ...headers },
        agent: false,
        ...(signal === undefined ? {} : { signal }),
        maxHeaderSize: HEADERS_BYTES_MAX,
      });
      const late = new PreciseTimer(() => request.destroy(new Error('it does not answer')));
      late.set(answerMs);
      const end = (): void => late.clear();
      listen(request, (answer) => {
        end();
        resolve(answer);
      });
      request.on('response', (response) => {
        end();
        if (statuses.includes(response.statusCode ?? 0)) return;
        reject(new Error(meaningOf(response.statusCode ?? 0)));
        request.destroy();
      });
      request.on('error', (error) => {
        end();
        reject(error);
      });
      request.end();
    });
  }

  private async named<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (cause) {
      const { name, host, port } = this.peer;
      throw new StoreError(
        `node ${name} at ${host}:${port} does not give what it is asked for`,
        clientReason(cause),
        { cause },
      );
    }
  }
}

const MEANINGS: ReadonlyMap<number, string> = new Map([
  [404, 'it has none'],
  [503, 'it cannot give it now'],
]);

function meaningOf(status: number): string {
  return MEANINGS.get(status) ?? `it answers with status ${status}`;
}

async function textOf(response: IncomingMessage, bytesMax: number): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > bytesMax) throw new Error('its answer is too long');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
