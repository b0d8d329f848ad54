// Owns a broker with something to look at, and a browser to look with. Never checks anything.

import { existsSync } from 'node:fs';
import { type ChannelModel, connect } from 'amqplib';
import pino from 'pino';
import { type Browser, chromium, type Page } from 'playwright-core';
import { type Api, startApi } from '../management/support.ts';
import { PATIENCE_MS } from '../support/patience.ts';

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
export function logIn(
  browser: Browser,
  url: string,
  complaints: string[],
  options: PageOptions = {},
): Promise<Page> {
  return openPage(browser, url, (text) => complaints.push(text), options);
}

/** A new page, whose waits last as long as those of all tests. */
export async function patientPage(
  browser: Browser,
  options: Parameters<Browser['newPage']>[0] = {},
): Promise<Page> {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(PATIENCE_MS);
  return page;
}

async function openPage(
  browser: Browser,
  url: string,
  heard: (complaint: string) => void,
  options: PageOptions,
): Promise<Page> {
  const { dark = false, width = 1280, height = 860 } = options;
  const page = await patientPage(browser, {
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
  });
  page.on('pageerror', (error) => heard(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') heard(`${message.text()} ${message.location().url}`);
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
  /** The pages of this stage, each with the list for what it complains of. */
  private readonly pages = new Map<Page, string[]>();
  /** A page that a test is done with, and that is still logged in. */
  private spare: Page | null = null;

  private constructor(api: Api, browser: Browser) {
    this.api = api;
    this.browser = browser;
  }

  static async open(): Promise<Stage> {
    // What it logs is read through its API alone.
    const logger = pino({ level: 'info' }, { write: () => {} });
    const api = await startApi({ statisticsIntervalMs: 500 }, null, logger);
    return new Stage(api, await launch());
  }

  /** A client of the broker. */
  async client(name: string): Promise<ChannelModel> {
    const client = await connect(this.api.amqpUrl, { clientProperties: { connection_name: name } });
    client.on('error', () => {});
    this.clients.push(client);
    return client;
  }

  /** A page that has logged in and shows the overview; what it complains of is kept in `complaints`. */
  async page(complaints: string[], options: PageOptions = {}): Promise<Page> {
    const { spare } = this;
    this.spare = null;
    if (spare !== null && (await this.renew(spare, complaints, options))) return spare;
    const heard = (text: string) => this.pages.get(page)?.push(text);
    const page = await openPage(this.browser, this.api.url, heard, options);
    this.pages.set(page, complaints);
    return page;
  }

  /**
   * Takes a page back from a test. The next one gets it as if it were new, in half the time: to load all modules into
   * a new process is what a test spends most on.
   */
  async leave(page: Page | undefined): Promise<void> {
    if (page === undefined || page.isClosed()) return;
    if (this.spare !== null || !this.pages.has(page)) await page.close();
    else {
      this.spare = page;
      this.pages.set(page, []);
    }
  }

  /** Puts a page back to how it begins, but for the login; false when it has none. */
  private async renew(page: Page, complaints: string[], options: PageOptions): Promise<boolean> {
    const { dark = false, width = 1280, height = 860 } = options;
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
    const loggedIn = await page.evaluate(`(() => {
      localStorage.clear();
      const kept = sessionStorage.getItem('leveret.login');
      sessionStorage.clear();
      if (kept !== null) sessionStorage.setItem('leveret.login', kept);
      history.replaceState(null, '', '#/');
      return kept !== null;
    })()`);
    if (!loggedIn) {
      await page.close();
      return false;
    }
    await page.reload({ waitUntil: 'commit' });
    this.pages.set(page, complaints);
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    return true;
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
