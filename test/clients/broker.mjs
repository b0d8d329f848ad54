// The broker that the clients connect to: a Leveret of this checkout, which can be restarted, or one
// that somebody else runs. Knows nothing of clients.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Broker, findFreePort } from '../crash/broker.mjs';

const STOP_LIMIT_MS = 15_000;

export class OwnBroker {
  restarts = true;
  title = 'Leveret of this checkout';

  async start() {
    this.folder = mkdtempSync(join(tmpdir(), 'leveret-clients-'));
    const { folder } = this;
    const port = await findFreePort();
    const managementPort = await findFreePort();
    const plan = {
      broker: 'leveret',
      leveret: 'bin/leveret',
      folder,
      definitions: null,
      managementPort,
    };
    this.broker = new Broker(plan, port, 0);
    this.url = `amqp://guest:guest@127.0.0.1:${port}`;
    this.httpUrl = `http://guest:guest@127.0.0.1:${managementPort}`;
    this.broker.spawn();
    await this.broker.listening();
  }

  async restart() {
    await this.broker.stop(STOP_LIMIT_MS);
    this.broker.spawn();
    await this.broker.listening();
  }

  async stop() {
    await this.broker.stop(STOP_LIMIT_MS);
  }

  /** For the end of this process, however it comes: nothing of it may stay. */
  remove() {
    this.broker?.killNow();
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
  }
}

export class BrokerAtUrl {
  restarts = false;

  constructor(url) {
    this.url = url;
    const { username, password, hostname, port } = new URL(url);
    // As RabbitMQ's ports are by default: 5672 and 15672.
    const login = `${username || 'guest'}:${password || 'guest'}`;
    this.httpUrl = `http://${login}@${hostname}:${Number(port || 5672) + 10_000}`;
    this.title = `the one at ${new URL(url).host}; steps that need its restart are left out`;
  }

  async start() {}
  async stop() {}
  remove() {}
}
