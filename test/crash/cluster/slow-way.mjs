// The way of one node to the servers of NATS: what the node sends can be held back and let go later, and the way can be cut.
// Never changes a byte.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** How NATS's protocol announces a record of the log: its length comes last. */
const RECORD = /HPUB LV_\S+ \S+ \d+ (\d+)\r\n/g;
/** A record of so many bytes is part of a large batch. */
const PART_BYTES = 500_000;

export class SlowWay {
  /** `targets`: the addresses of the servers. `host`: where the node is to find this. */
  constructor(targets, host) {
    this.targets = targets;
    this.host = host;
    this.servers = [];
    this.pairs = new Set();
    this.held = false;
    this.isCut = false;
    this.waitsForPart = false;
  }

  /** Resolves with the addresses that the node is to connect to. */
  async open() {
    for (const target of this.targets) {
      const server = createServer((node) => this.take(node, target));
      server.listen(0, this.host);
      await once(server, 'listening');
      this.servers.push(server);
    }
    return this.ports.map((port) => `${this.host}:${port}`);
  }

  get ports() {
    return this.servers.map((server) => server.address().port);
  }

  /** From now on nothing that the node sends arrives; how many bytes were held, in the end, `release` returns. */
  hold() {
    this.held = true;
  }

  /** The same from the next record on that is part of a large batch: it and those behind it are held. */
  holdAtPart() {
    this.waitsForPart = true;
  }

  /** Lets go of all that was held, in its order, also where the node has given the connection up. */
  release() {
    this.held = false;
    this.waitsForPart = false;
    let bytes = 0;
    for (const pair of this.pairs) {
      for (const chunk of pair.waiting.splice(0)) {
        bytes += chunk.length;
        pair.server.write(chunk);
      }
      if (pair.gone) pair.server.end();
    }
    return bytes;
  }

  /** Ends all connections, and takes none until it is mended. */
  cut() {
    this.isCut = true;
    for (const { node, server } of this.pairs) {
      node.destroy();
      server.destroy();
    }
  }

  mend() {
    this.isCut = false;
  }

  close() {
    this.cut();
    for (const server of this.servers) server.close();
  }

  take(node, target) {
    node.on('error', () => {});
    if (this.isCut) {
      node.destroy();
      return;
    }
    const [host, port] = target.split(':');
    const server = connect(Number(port), host);
    const pair = { node, server, waiting: [], gone: false };
    this.pairs.add(pair);
    node.setNoDelay(true);
    server.setNoDelay(true);
    server.on('error', () => {});
    server.on('data', (chunk) => node.write(chunk));
    server.on('close', () => {
      node.destroy();
      this.pairs.delete(pair);
    });
    node.on('data', (chunk) => {
      if (this.waitsForPart && hasPart(chunk)) {
        this.waitsForPart = false;
        this.hold();
      }
      if (this.held || pair.waiting.length > 0) pair.waiting.push(chunk);
      else server.write(chunk);
    });
    node.on('close', () => {
      pair.gone = true;
      if (pair.waiting.length === 0) server.end();
    });
  }
}

function hasPart(chunk) {
  const found = [...chunk.toString('latin1').matchAll(RECORD)];
  return found.some(([, bytes]) => Number(bytes) >= PART_BYTES);
}
