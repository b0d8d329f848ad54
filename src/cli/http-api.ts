// Owns talking to the HTTP API of a running broker: where it is, who asks, and what a user reads when
// it does not go. Never knows a verb.

import { VerbError } from './verb-error.ts';

/** Where the API is unless somebody says: a broker of this machine, and its first user. */
const DEFAULT_URL = 'http://guest:guest@127.0.0.1:15672';

/** What verbs over HTTP are told of the broker they are for. */
export interface Target {
  readonly url: string;
}

/** Where verbs go: the option, or the variable, or this machine. */
export function targetOf(option: unknown): Target {
  const given = typeof option === 'string' ? option : process.env['LEVERET_URL'];
  return { url: given === undefined || given === '' ? DEFAULT_URL : given };
}

/**
 * The login of a broker's first user, as the environment of its container gives it to the broker, and so
 * to the health checks that run inside.
 */
function firstUser(what: 'USER' | 'PASS'): string {
  const { env } = process;
  return env[`LEVERET_DEFAULT_${what}`] || env[`RABBITMQ_DEFAULT_${what}`] || 'guest';
}

/** An answer that is no success. */
export class ApiError extends VerbError {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The codes of certificates that nobody known has signed. */
const UNTRUSTED = /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)/;

/** A part of a path, escaped. */
export const part = encodeURIComponent;

/** The API of one broker. */
export class HttpApi {
  /** Without name and password. */
  readonly base: string;
  readonly user: string;
  private readonly authorization: string;

  /** Throws a VerbError when the URL is none. */
  constructor({ url }: Target) {
    let parsed: URL;
    try {
      parsed = new URL(url.includes('://') ? url : `http://${url}`);
    } catch {
      throw new VerbError(`'${url}' is no URL: write for example ${DEFAULT_URL}`);
    }
    const name = decodeURIComponent(parsed.username) || firstUser('USER');
    const password = decodeURIComponent(parsed.password) || firstUser('PASS');
    this.user = name;
    this.authorization = basic(name, password);
    parsed.username = '';
    parsed.password = '';
    this.base = parsed.href.replace(/\/$/, '');
  }

  async get<T = never>(path: string): Promise<T> {
    return (await this.call('GET', path)) as T;
  }

  /** Whether there is something at a path. */
  async has(path: string): Promise<boolean> {
    try {
      await this.call('GET', path);
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return false;
      throw error;
    }
  }

  /** Calls the API; resolves with its JSON, or undefined. Rejects with an ApiError. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<unknown> {
    const response = await this.fetch(method, path, body, this.authorization, headers);
    const text = await response.text();
    if (!response.ok) throw this.errorOf(response.status, text);
    return text === '' ? undefined : JSON.parse(text);
  }

  /** Whether somebody can log in with that password; tags do not matter. */
  async admits(name: string, password: string): Promise<boolean> {
    const response = await this.fetch('GET', '/whoami', undefined, basic(name, password), {});
    return response.ok || (await response.text()).includes('Not management user');
  }

  private async fetch(
    method: string,
    path: string,
    body: unknown,
    authorization: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<Response> {
    try {
      return await fetch(`${this.base}/api${path}`, {
        method,
        headers: { authorization, 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
      const why = cause?.code ?? cause?.message ?? (error as Error).message;
      if (UNTRUSTED.test(why)) {
        throw new VerbError(
          `the certificate of ${this.base} is not trusted (${why}): name the file of the authority that ` +
            'signed it in the environment variable NODE_EXTRA_CA_CERTS',
        );
      }
      throw new VerbError(
        `no broker answers at ${this.base} (${why}): start one with 'leveret start', name another with ` +
          "--url http://user:password@host:15672, or work on a stopped broker's folder with --data-dir",
      );
    }
  }

  private errorOf(status: number, text: string): ApiError {
    let reason = text;
    try {
      const body = JSON.parse(text) as { reason?: unknown };
      if (typeof body.reason === 'string') ({ reason } = body as { reason: string });
      else if (body.reason !== undefined) reason = JSON.stringify(body.reason);
    } catch {
      // What is no JSON is shown as it is.
    }
    if (reason === 'vhost_or_user_not_found') {
      const ways = 'see leveret list users and leveret list vhosts';
      return new ApiError(status, `there is no such user, or no such vhost: ${ways}`);
    }
    if (status === 401) return new ApiError(status, `${reason}: ${this.adviceFor(reason)}`);
    return new ApiError(status, reason === '' ? `the broker answered with ${status}` : reason);
  }

  private adviceFor(reason: string): string {
    if (reason === 'Login failed') {
      return (
        `the name '${this.user}' or its password is wrong, or it may log in on the broker's machine only; ` +
        'give both with --url http://user:password@host:15672 or LEVERET_URL'
      );
    }
    if (reason.startsWith('Not ')) {
      return `'${this.user}' lacks that tag: leveret set_user_tags ${this.user} administrator`;
    }
    return `'${this.user}' may not do that: see leveret set_permissions`;
  }
}

function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}
