// Owns a broker with something to look at, and a browser to look with. Never checks anything.

import { existsSync } from 'node:fs';
import { type ChannelModel, connect } from 'amqplib';
import { type Browser, chromium, type Page } from 'playwright-core';
import { type Api, startApi } from '../management/support.ts';

/** Where Debian's package puts it, and what the environment may name instead. */
const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** Whether there is a browser to look with. */
export const hasBrowser = existsSync(CHROMIUM);

/** Names that would break a page that took them for markup, or a path. */
export const HOSTILE = [
  '<img src=x onerror="window.hacked=1">',
  '"quoted" \'and\' `ticked`',
  'a/b%2Fc?d#e&f',
  'שלום עולם ‮rtl',
  '🐇 hare'.repeat(12),
];

interface PageOptions {
  readonly dark?: boolean;
  readonly width?: number;
  readonly height?: number;
}

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
}

/** A page of a broker that has logged in; what it complains of is kept in `complaints`. */
export async function logIn(
  browser: Browser,
  url: string,
  complaints: string[],
  options: PageOptions = {},
): Promise<Page> {
  const { dark = false, width = 1280, height = 860 } = options;
  const page = await browser.newPage({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.goto(url);
  await page.getByLabel('User').fill('guest');
  await page.getByLabel('Password').fill('guest');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  return page;
}

/** A browser, and a broker that it looks at. */
export class Stage {
  readonly api: Api;
  readonly browser: Browser;
  private readonly clients: ChannelModel[] = [];

  private constructor(api: Api, browser: Browser) {
    this.api = api;
    this.browser = browser;
  }

  static async open(): Promise<Stage> {
    const api = await startApi({ statisticsIntervalMs: 500 });
    return new Stage(api, await launch());
  }

  /** A client of the broker. */
  async client(name: string): Promise<ChannelModel> {
    const client = await connect(this.api.amqpUrl, { clientProperties: { connection_name: name } });
    client.on('error', () => {});
    this.clients.push(client);
    return client;
  }

  /** A page that has logged in; what it complains of is kept in `complaints`. */
  page(complaints: string[], options: PageOptions = {}): Promise<Page> {
    return logIn(this.browser, this.api.url, complaints, options);
  }

  async close(): Promise<void> {
    for (const client of this.clients) await client.close().catch(() => {});
    await this.browser.close();
    await this.api.close();
  }
}

/** Fills a broker with what a small shop would have in it. */
export async function furnish(stage: Stage): Promise<() => void> {
  const { api } = stage;
  const put = (path: string, body: object) => api.call('PUT', path, body);
  await put('/exchanges/%2F/orders', { type: 'topic', durable: true });
  await put('/exchanges/%2F/notifications', { type: 'fanout', durable: true });
  await put('/exchanges/%2F/dead', { type: 'direct', durable: true });
  const dead = { 'x-dead-letter-exchange': 'dead', 'x-dead-letter-routing-key': 'failed' };
  const queues = ['billing', 'shipping', 'audit', 'emails', 'push', 'thumbnails', 'search-index'];
  for (const name of queues) {
    await put(`/queues/%2F/${name}`, { durable: true, arguments: name === 'audit' ? {} : dead });
  }
  await put('/queues/%2F/failed', { durable: true });
  const bind = (exchange: string, queue: string, key: string) =>
    api.call('POST', `/bindings/%2F/e/${exchange}/q/${queue}`, { routing_key: key });
  await bind('orders', 'billing', 'order.paid');
  await bind('orders', 'shipping', 'order.paid');
  await bind('orders', 'audit', 'order.#');
  await bind('orders', 'search-index', 'order.*');
  await bind('notifications', 'emails', '');
  await bind('notifications', 'push', '');
  await bind('dead', 'failed', 'failed');
  await api.call('POST', '/bindings/%2F/e/orders/e/notifications', {
    routing_key: 'order.shipped',
  });
  await put('/policies/%2F/bounded', {
    pattern: '^audit',
    definition: { 'max-length': 100_000 },
    'apply-to': 'queues',
  });
  await put('/users/watcher', { password: 'watch', tags: 'monitoring' });
  await misfortune(stage);
  return liveliness(stage);
}

/** Somebody whose channel the broker closes, and says why. */
async function misfortune(stage: Stage): Promise<void> {
  const client = await stage.client('report job');
  const channel = await client.createChannel();
  channel.on('error', () => {});
  await channel.assertQueue('audit', { durable: false }).catch(() => {});
  const other = await client.createChannel();
  other.on('error', () => {});
  await other.checkQueue('reports').catch(() => {});
}

/** Publishers and consumers that go on until the answer is called. */
async function liveliness(stage: Stage): Promise<() => void> {
  const shop = await stage.client('shop front');
  const publisher = await shop.createConfirmChannel();
  const worker = await stage.client('billing worker');
  const channel = await worker.createChannel();
  await channel.prefetch(50);
  let done = 0;
  let over = false;
  for (const queue of ['billing', 'shipping', 'emails', 'search-index']) {
    await channel.consume(queue, (message) => {
      done += 1;
      if (message === null) return;
      const settle = () => {
        if (over) return;
        if (done % 97 === 0) channel.nack(message, false, false);
        else channel.ack(message);
      };
      setTimeout(settle, 2 + (done % 40));
    });
  }
  const keys = ['order.created', 'order.paid', 'order.shipped'];
  let n = 0;
  const timer = setInterval(() => {
    for (let i = 0; i < 20 + (n % 15); i++) {
      n += 1;
      const body = JSON.stringify({ order: n, total: ((n * 7) % 300) + 0.5, currency: 'EUR' });
      publisher.publish('orders', keys[n % 3] as string, Buffer.from(body), {
        persistent: true,
        contentType: 'application/json',
        headers: { attempt: 1 },
      });
    }
  }, 50);
  return () => {
    over = true;
    clearInterval(timer);
  };
}
