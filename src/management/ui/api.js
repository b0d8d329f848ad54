// Owns talking to the HTTP API: login, calls, and errors in the words of the broker.

const KEY = 'leveret.login';
/** The browser is not to ask for a login by itself when the broker refuses one. */
const OWN_LOGIN = { credentials: 'omit' };

/** What the API says when something does not go. */
export class ApiError extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

let onLogout = () => {};

/** Who is told when the login does not hold any more. */
export function whenLoggedOut(act) {
  onLogout = act;
}

export function loggedIn() {
  return sessionStorage.getItem(KEY) !== null;
}

/** Tries a name and a password; keeps them until the tab is closed. */
export async function login(name, password) {
  const bytes = new TextEncoder().encode(`${name}:${password}`);
  const header = `Basic ${btoa(String.fromCharCode(...bytes))}`;
  const response = await fetch('/api/whoami', { ...OWN_LOGIN, headers: { authorization: header } });
  if (!response.ok) throw await errorOf(response);
  sessionStorage.setItem(KEY, header);
  return response.json();
}

export function logout() {
  sessionStorage.removeItem(KEY);
  onLogout();
}

async function errorOf(response) {
  let reason = `${response.status} ${response.statusText}`;
  try {
    const body = await response.json();
    if (typeof body.reason === 'string') reason = body.reason;
  } catch {
    // Not every error has a body.
  }
  return new ApiError(response.status, reason);
}

/** Calls the API; resolves with its JSON, or null where it says nothing. */
export async function call(method, path, body, headers = {}) {
  const authorization = sessionStorage.getItem(KEY);
  let response;
  try {
    response = await fetch(`/api${path}`, {
      ...OWN_LOGIN,
      method,
      headers: {
        ...(authorization === null ? {} : { authorization }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, 'The broker does not answer. Is it running?');
  }
  if (!response.ok) {
    const error = await errorOf(response);
    if (response.status === 401 && error.message === 'Login failed') logout();
    throw error;
  }
  const text = await response.text();
  return text === '' ? null : JSON.parse(text);
}

export const get = (path) => call('GET', path);

/** A path made of parts that are escaped. */
export function at(strings, ...parts) {
  return strings.reduce((path, text, i) => path + encodeURIComponent(parts[i - 1]) + text);
}
