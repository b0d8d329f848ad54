// Owns talking to the HTTP API of a running broker: where it is, as which user a verb asks, and what the
// operator reads when it does not work. Never knows a verb.

import { parseAnswer } from '../../util/json/json-input.ts';
import { jsonText } from '../../util/json/json-writer.ts';
import { plainPart, withoutLogin } from '../../util/url-text.ts';
import { UserError } from '../../util/user-error.ts';
import { UnavailableError, UsageError } from '../exit-codes.ts';
import { type CallOptions, fetchOverControl, findControl } from './control.ts';
import { describeMissing, type Missing } from './missing.ts';

/** Where the API is when no URL is given: a broker of this machine, as its first user. */
const DEFAULT_URL = 'http://127.0.0.1:15672';

/** What verbs over HTTP are told of the broker they are for. */
export interface Target {
  readonly url: string;
  /** No broker was named: that of this machine, at its control socket too. */
  readonly near?: boolean;
  /** The data folder at whose control socket it is known to answer. */
  readonly folder?: string;
  /** Whether the verb also works on the data folder of a stopped broker. */
  readonly orFolder?: boolean;
}

/** Where verbs go: the option, or the variable, or this machine. Throws a UsageError when the option is empty. */
export function targetOf(option: unknown): Target {
  if (option === '') {
    throw new UsageError(
      '--url is empty: write a URL, or omit --url for the broker of this machine',
    );
  }
  const given = typeof option === 'string' ? option : process.env['LEVERET_URL'];
  const isGiven = given !== undefined && given !== '';
  return isGiven ? { url: given } : { url: DEFAULT_URL, near: true };
}

/** The broker at the control socket of a data folder. */
export function targetAt(folder: string): Target {
  return { url: DEFAULT_URL, near: true, folder };
}

/**
 * The login of a broker's first user, as the environment of its container gives it to the broker, and so
 * to the health checks that run inside.
 */
function firstUser(what: 'USER' | 'PASS'): string {
  return givenLogin(what) || 'guest';
}

function givenLogin(what: 'USER' | 'PASS'): string {
  const { env } = process;
  return env[`LEVERET_DEFAULT_${what}`] || env[`RABBITMQ_DEFAULT_${what}`] || '';
}

/** An answer that is no success. */
export class ApiError extends UserError {
  readonly status: number;
  /** The name that is not there, where it is known. */
  readonly missing: Missing | null;

  constructor(status: number, message: string, missing: Missing | null = null) {
    super(message);
    this.status = status;
    this.missing = missing;
  }
}

/** What answered is no broker, or none that is trusted. */
export class StrangeAnswerError extends UserError {}

/** The codes of certificates that no known authority has signed. */
const UNTRUSTED = /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)/;

/** The codes of connections that were not made. */
const UNCONNECTED: ReadonlySet<string> = new Set([
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** A part of a path, escaped. */
export const part = encodeURIComponent;

/** An answer that only says something may take so long, from the first byte to the last. */
const ANSWER_MS = 60_000;
/** No text of this runtime is longer. */
const ANSWER_BYTES_MAX = 2 ** 29 - 32;

/** Throws a UserError for what is no URL of HTTP. */
function parseUrl(text: string): URL {
  try {
    const url = new URL(text.includes('://') ? text : `http://${text}`);
    if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  } catch {
    // Said below.
  }
  throw new UserError(
    `'${withoutLogin(text)}' is no URL of HTTP: write for example http://guest:guest@127.0.0.1:15672`,
  );
}

const NO_USER_OR_VHOST =
  'there is no such user, or no such vhost: see leveret list users and leveret list vhosts';

/** The API of one broker. */
export class HttpApi {
  /** Without name and password. */
  readonly base: string;
  readonly user: string;
  private readonly authorization: string;
  private readonly near: boolean;
  private readonly orFolder: boolean;
  /** The data folder at whose control socket the broker is asked; null: at its port; undefined: not known yet. */
  private folder: string | null | undefined;

  /** Whether it is found out what is missing: what is not there meanwhile needs no explanation. */
  private explaining = false;

  /** Throws a UserError when the URL is none. */
  constructor({ url, near = false, folder, orFolder = false }: Target) {
    const parsed = parseUrl(url);
    this.orFolder = orFolder;
    this.near = near;
    this.folder = near ? folder : null;
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

  /** The host of the broker. */
  get host(): string {
    return new URL(this.base).hostname;
  }

  /** The data folder of the broker of this machine, at whose control socket it answers; null: none, or a URL was given. */
  async controlFolder(): Promise<string | null> {
    return this.near ? (this.folder ?? (await findControl())) : null;
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
    const response = await this.fetch(method, path, body, null, headers);
    const text = await this.textOf(response);
    if (!response.ok) throw await this.explained(path, this.errorOf(response.status, text));
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
      value = parseAnswer(text);
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

  private notUnderstood(why: string): StrangeAnswerError {
    const wayOut =
      'is that the HTTP API of a broker? name it with --url http://user:password@host:15672';
    return new StrangeAnswerError(`the answer of ${this.base} makes no sense (${why}): ${wayOut}`);
  }

  /** Whether the user `name` can log in with that password; tags do not matter. */
  async admits(name: string, password: string): Promise<boolean> {
    const response = await this.fetch('GET', '/whoami', undefined, basic(name, password), {});
    return response.ok || (await this.textOf(response)).includes('Not management user');
  }

  /** Asks where the broker is; `login` null: as the user of the verb. */
  private async fetch(
    method: string,
    path: string,
    body: unknown,
    login: string | null,
    more: Readonly<Record<string, string>>,
  ): Promise<Response> {
    const options: CallOptions = {
      method,
      headers: { 'content-type': 'application/json', ...more },
      ...(body === undefined ? {} : { body: jsonText(body) }),
    };
    try {
      return (
        (await this.askWithGivenLogin(path, options, login)) ??
        (await this.ask(path, options, login))
      );
    } catch (error) {
      throw this.unreachable(error);
    }
  }

  /**
   * A login that the environment gives goes first, and the socket where it does not hold any more. Null: to be asked
   * where it is known to answer by now. A call that the broker may have taken already is not made again.
   */
  private async askWithGivenLogin(
    path: string,
    options: CallOptions,
    login: string | null,
  ): Promise<Response | null> {
    if (this.folder !== undefined) return null;
    let refusal: Response | null = null;
    let failure: unknown = null;
    if (givenLogin('USER') !== '') {
      try {
        refusal = await this.ask(path, options, login);
      } catch (error) {
        if (!isUnsent(error)) throw error;
        failure = error;
      }
      if (refusal !== null && (refusal.status !== 401 || login !== null)) {
        this.folder = null;
        return refusal;
      }
    }
    this.folder = await findControl();
    if (this.folder !== null) {
      await refusal?.body?.cancel();
      return null;
    }
    if (failure !== null) throw failure;
    return refusal;
  }

  /** Makes a call once. Rejects with the system's error. */
  private ask(
    path: string,
    { headers, ...options }: CallOptions,
    login: string | null,
  ): Promise<Response> {
    const { folder } = this;
    // What changes something may take its time, as a copy of all data does.
    const limit = options.method === 'GET' ? { signal: AbortSignal.timeout(ANSWER_MS) } : {};
    if (typeof folder === 'string') {
      const own = login === null ? {} : { authorization: login };
      const all = { ...options, ...limit, headers: { ...headers, ...own } };
      return fetchOverControl(folder, `/api${path}`, all);
    }
    const authorization = login ?? this.authorization;
    const all = { ...options, ...limit, headers: { authorization, ...headers } };
    return fetch(`${this.base}/api${path}`, all);
  }

  /** The error for a call that got no answer, or half of one. */
  private unreachable(error: unknown): UserError {
    const cause = causeOf(error);
    const why = cause.code ?? cause.message;
    if (UNTRUSTED.test(why)) {
      return new StrangeAnswerError(
        `the certificate of ${this.base} is not trusted (${why}): name the file of the authority that ` +
          'signed it in the environment variable NODE_EXTRA_CA_CERTS',
      );
    }
    const wayOuts = [
      "start one with 'leveret start'",
      'name the address of its management.tcp with --url http://user:password@host:port or LEVERET_URL',
      ...(this.near ? ['its data folder, on this machine, in LEVERET_DATA_DIR'] : []),
      ...(this.orFolder ? ["work on a stopped broker's folder with --data-dir"] : []),
    ];
    const last = wayOuts.pop();
    return new UnavailableError(
      `no broker answers at ${this.base} (${why}): ${wayOuts.join(', ')}, or ${last}`,
    );
  }

  private errorOf(status: number, text: string): ApiError {
    let reason = text;
    try {
      const body = parseAnswer(text) as { reason?: unknown };
      if (typeof body.reason === 'string') ({ reason } = body as { reason: string });
      else if (body.reason !== undefined) reason = jsonText(body.reason);
    } catch {
      // What is no JSON is shown as it is.
    }
    if (reason === 'vhost_or_user_not_found') {
      return new ApiError(status, NO_USER_OR_VHOST);
    }
    if (status === 401) {
      const advice = this.adviceFor(reason);
      return new ApiError(status, advice === null ? reason : `${reason}: ${advice}`);
    }
    return new ApiError(status, reason === '' ? `the broker answered with ${status}` : reason);
  }

  /** The error for what is not there, with its name; any other as it is. */
  private async explained(path: string, error: ApiError): Promise<ApiError> {
    const isMissing = error.status === 404 || error.message === NO_USER_OR_VHOST;
    if (!isMissing || this.explaining) return error;
    this.explaining = true;
    const missing = await describeMissing((each) => this.get(each), path);
    this.explaining = false;
    return missing === null ? error : new ApiError(error.status, missing.text, missing);
  }

  /** What to do about a refusal; null where no permission helps, as for a reserved name. */
  private adviceFor(reason: string): string | null {
    if (reason === 'Login failed') {
      return (
        `the name '${this.user}' or its password is wrong, or it may log in on the broker's machine only; ` +
        'give both with --url http://user:password@host:15672 or LEVERET_URL' +
        (this.near ? ', or run this as the user of the broker, or as root' : '')
      );
    }
    if (reason.startsWith('Not ')) {
      return `'${this.user}' lacks that tag: leveret set_user_tags ${this.user} administrator`;
    }
    if (!/refused for user|not authori[sz]ed|access refused/i.test(reason)) return null;
    return `'${this.user}' may not do that: see leveret set_permissions`;
  }
}

/** What failed, which the runtime wraps. */
function causeOf(error: unknown): NodeJS.ErrnoException {
  return ((error as Error).cause ?? error) as NodeJS.ErrnoException;
}

/** Whether no connection was made, so that nothing of a call has reached a broker. */
function isUnsent(error: unknown): boolean {
  return UNCONNECTED.has(causeOf(error).code ?? '');
}

function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}
