// Owns talking to the HTTP API: login, calls, and errors in the words of the broker.

import { parseJson } from './json.js';

// Below another path of the same proxy may be another broker.
const KEY = `leveret.login ${location.pathname.replace(/[^/]*$/, '')}`;
/**
 * The browser is not to ask for a login by itself when the broker refuses one.
 * @type {RequestInit}
 */
const OWN_LOGIN = { credentials: 'omit' };

/** What the API says when something does not go. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} reason
   */
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

/** @type {(why: string | null) => void} */
let onLogout = () => {};

/**
 * What is called when the login does not hold any more, with why; null: the user logged out.
 * @param {(why: string | null) => void} act
 */
export function whenLoggedOut(act) {
  onLogout = act;
}

export function loggedIn() {
  return sessionStorage.getItem(KEY) !== null;
}

/**
 * Tries a name and a password; keeps them until the tab is closed.
 * @param {string} name
 * @param {string} password
 */
export async function login(name, password) {
  const bytes = new TextEncoder().encode(`${name}:${password}`);
  const header = `Basic ${btoa(String.fromCharCode(...bytes))}`;
  const response = await reach('/whoami', { headers: { authorization: header } });
  if (!response.ok) throw await errorOf(response);
  sessionStorage.setItem(KEY, header);
  return response.json();
}

/** @param {string | null} [why] */
export function logout(why = null) {
  sessionStorage.removeItem(KEY);
  onLogout(why);
}

/** After so long a GET has no answer, ms; an export may take its time. What changes something is waited for. */
const GET_MS_MAX = 120_000;
/** The same for what asks whether the broker is there. */
const STATUS_MS_MAX = 10_000;
const STATUS = '/leveret/status';

/**
 * The error where nothing answers; what watches the broker is told.
 * @param {string} path
 */
function noAnswer(path) {
  if (path !== STATUS) window.dispatchEvent(new Event('leveret-no-answer'));
  return new ApiError(0, 'The broker does not answer.');
}

/**
 * Sends a request to the broker. Throws an ApiError of status 0 where nothing answers, and a TypeError where no request
 * can be made of what is given.
 * @param {string} path
 * @param {RequestInit} init
 */
async function reach(path, init) {
  const reads = init.method === undefined || init.method === 'GET';
  const most = path === STATUS ? STATUS_MS_MAX : GET_MS_MAX;
  const request = new Request(`api${path}`, {
    ...OWN_LOGIN,
    ...(reads ? { signal: AbortSignal.timeout(most) } : {}),
    ...init,
  });
  try {
    return await fetch(request);
  } catch {
    throw noAnswer(path);
  }
}

/** @param {Response} response */
async function errorOf(response) {
  let reason = `${response.status} ${response.statusText}`;
  try {
    const body = await response.json();
    const said = body.explanation ?? body.reason;
    if (typeof said === 'string') reason = said;
  } catch {
    // Not every error has a body.
  }
  return new ApiError(response.status, reason);
}

/**
 * Calls the API; resolves with its JSON, or null where it says nothing.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {Record<string, string>} [headers]
 */
export async function call(method, path, body, headers = {}) {
  const authorization = sessionStorage.getItem(KEY);
  const response = await reach(path, {
    method,
    headers: {
      ...(authorization === null ? {} : { authorization }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  if (!response.ok) {
    const error = await errorOf(response);
    if (response.status === 401 && error.message === 'Login failed' && loggedIn()) {
      const now = new Date().toLocaleTimeString();
      logout(
        `At ${now} the broker refused your login: the user was deleted or its password changed. Log in again to go on.`,
      );
    }
    throw error;
  }
  const text = await response.text().catch(() => {
    throw noAnswer(path);
  });
  return text === '' ? null : parseJson(text);
}

/** @param {string} path */
export const get = (path) => call('GET', path);

/**
 * A path made of parts that are escaped.
 * @param {TemplateStringsArray} strings
 * @param {(string | number | boolean)[]} parts
 */
export function at(strings, ...parts) {
  return strings.reduce(
    (path, text, i) => path + encodeURIComponent(/** @type {string} */ (parts[i - 1])) + text,
  );
}
