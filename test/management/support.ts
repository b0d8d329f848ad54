// Owns a broker with its HTTP API for tests, or the one that MANAGEMENT_URL and AMQP_URL name: the same
// tests run against RabbitMQ. Never checks an answer.

import pino, { type Logger } from 'pino';
import type { Embedding, RunningBroker } from '../../src/boot/serve.ts';
import { startBroker } from '../../src/boot/start.ts';
import { defaultSettings, type Settings } from '../../src/config/settings.ts';

/** An answer of the API. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // Answers have any shape: tests say which they expect.
  readonly json: unknown;
}

/** Whether the tests run against another broker. */
export const isOracle = (process.env['MANAGEMENT_URL'] ?? '') !== '';

/** The HTTP API of a broker. */
export class Api {
  readonly url: string;
  readonly amqpUrl: string;
  readonly broker: RunningBroker | null;
  /** What was asked for and answered without an error. */
  readonly answered: { readonly method: string; readonly path: string }[] = [];

  constructor(url: string, amqpUrl: string, broker: RunningBroker | null) {
    this.url = url;
    this.amqpUrl = amqpUrl;
    this.broker = broker;
  }

  /** Calls a path below /api as a user. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    user = 'guest:guest',
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const authorization = `Basic ${Buffer.from(user).toString('base64')}`;
    const raw = typeof body === 'string' || body === undefined;
    const response = await fetch(`${this.url}/api${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(user === '' ? {} : { authorization }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: raw ? (body as string) : JSON.stringify(body) }),
    });
    if (response.ok) this.answered.push({ method, path: path.replace(/\?.*/, '') });
    const text = await response.text();
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: response.status, headers: response.headers, text, json };
  }

  async close(): Promise<void> {
    await this.broker?.close('the test is over');
  }
}

/** Starts a broker in memory with a port for tools, or finds the one that the environment names. */
export async function startApi(
  changes: Partial<Settings> = {},
  embedding: Embedding | null = null,
  logger: Logger = pino({ level: 'silent' }),
): Promise<Api> {
  const given = process.env['MANAGEMENT_URL'];
  if (given !== undefined && given !== '') {
    return new Api(given, process.env['AMQP_URL'] ?? 'amqp://guest:guest@127.0.0.1:5672', null);
  }
  const settings: Settings = {
    ...defaultSettings(),
    tcpListeners: new Map([['default', { host: '127.0.0.1', port: 0 }]]),
    memory: true,
    managementPort: 0,
    prometheusPort: null,
    ...changes,
  };
  const broker = await startBroker(settings, logger, embedding);
  const portOf = (key: string) => broker.addresses.find((each) => each.key === key)?.port;
  const url = `http://127.0.0.1:${portOf('management.tcp')}`;
  const amqpUrl = `amqp://guest:guest@127.0.0.1:${portOf('listeners.tcp.default')}`;
  return new Api(url, amqpUrl, broker);
}

/** Tries until a condition holds; for what brokers do a little later. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let n = 0; n < 200; n++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it never came to hold');
}
