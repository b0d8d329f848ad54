// Asks nodes of a cluster with groups by their HTTP API. Never decides what.

/** The administrator that places vhosts. */
export const CHIEF = { name: 'chief', password: 'chief' };

const LIMIT_MS = 5000;

/** The status and, where there is one, the JSON of an answer; null: there was none. */
export async function ask({ host, managementPort }, method, path, body) {
  const login = Buffer.from(`${CHIEF.name}:${CHIEF.password}`).toString('base64');
  try {
    const answer = await fetch(`http://${host}:${managementPort}/api${path}`, {
      method,
      headers: { authorization: `Basic ${login}`, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(LIMIT_MS),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, json: answer.ok && text !== '' ? JSON.parse(text) : null };
  } catch {
    return null;
  }
}
