// Owns talking to the HTTP API of a running broker: where it is, as which user a verb asks, and what the
// operator reads when it does not work. Never knows a verb.

import { plainPart, withoutLogin } from '../../util/url-text.ts';
import { VerbError } from './verb-error.ts';

/** Where the API is when no URL is given: a broker of this machine, and its first user. */
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

/** The codes of certificates that no known authority has signed. */
const UNTRUSTED = /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)/;

/** A part of a path, escaped. */
export const part = encodeURIComponent;

/** An answer that only says something may take so long, from the first byte to the last. */
const ANSWER_MS = 60_000;
/** No text of this runtime is longer. */
const ANSWER_BYTES_MAX = 2 ** 29 - 32;

/** Throws a VerbError for what is no URL of HTTP. */
function parseUrl(text: string): URL {
  try {
    const url = new URL(text.includes('://') ? text : `http://${text}`);
    if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  } catch {
    // Said below.
  }
  throw new VerbError(
    `'${withoutLogin(text)}' is no URL of HTTP: write for example ${DEFAULT_URL}`,
  );
}

/** The API of one broker. */
export class HttpApi {
  /** Without name and password. */
  readonly base: string;
  readonly user: string;
  private readonly authorization: string;

  /** Throws a VerbError when the URL is none. */
  constructor({ url }: Target) {
    const parsed = parseUrl(url);
    const name = plainPart(parsed.username) || firstUser('USER');
    const password = plainPart(parsed.password) || firstUser('PASS');
    this.user = name;
    this.authorization = basic(name, password);
    for (const part of ['username', 'password', 'search', 'hash'] as const) parsed[part] = '';
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
    const text = await this.textOf(response);
    if (!response.ok) throw this.errorOf(response.status, text);
    return text === '' ? undefined : this.valueOf(text);
  }

  /**
   * Runs a verb. What it trips over in an answer is an answer that no broker gives, or one of another version:
   * that ends in one line, too.
   */
  async understanding<T>(run: () => T | Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (error instanceof TypeError || error instanceof RangeError)
        throw this.notUnderstood(error.message);
      throw error;
    }
  }

  /** An answer of the API: an object, or a list of objects. */
  private valueOf(text: string): unknown {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw this.notUnderstood('it is not JSON');
    }
    const parts: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (parts.every((each) => typeof each === 'object' && each !== null)) return value;
    throw this.notUnderstood('it is no object, and no list of them');
  }

  private async textOf(response: Response): Promise<string> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response.body ?? []) {
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES_MAX) break;
        chunks.push(chunk);
      }
    } catch (error) {
      throw this.unreachable(error);
    }
    if (bytes > ANSWER_BYTES_MAX) throw this.notUnderstood('it has no end');
    return Buffer.concat(chunks).toString('utf8');
  }

  private notUnderstood(why: string): VerbError {
    const wayOut =
      'is that the HTTP API of a broker? name it with --url http://user:password@host:15672';
    return new VerbError(`the answer of ${this.base} makes no sense (${why}): ${wayOut}`);
  }

  /** Whether the user `name` can log in with that password; tags do not matter. */
  async admits(name: string, password: string): Promise<boolean> {
    const response = await this.fetch('GET', '/whoami', undefined, basic(name, password), {});
    return response.ok || (await this.textOf(response)).includes('Not management user');
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
        // What changes something may take its time, as a copy of all data does.
        ...(method === 'GET' ? { signal: AbortSignal.timeout(ANSWER_MS) } : {}),
      });
    } catch (error) {
      throw this.unreachable(error);
    }
  }

  /** The error for a call that got no answer, or half of one. */
  private unreachable(error: unknown): VerbError {
    const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
    const why = cause?.code ?? cause?.message ?? (error as Error).message;
    if (UNTRUSTED.test(why)) {
      return new VerbError(
        `the certificate of ${this.base} is not trusted (${why}): name the file of the authority that ` +
          'signed it in the environment variable NODE_EXTRA_CA_CERTS',
      );
    }
    return new VerbError(
      `no broker answers at ${this.base} (${why}): start one with 'leveret start', name another with ` +
        "--url http://user:password@host:15672, or work on a stopped broker's folder with --data-dir",
    );
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
