// Asks the broker under test by its HTTP API. Never changes anything in it.
import { LOGIN } from './topology.mjs';

/** The answer to a GET; throws where that is refused. */
export async function askApi(
  { managementHost = '127.0.0.1', managementPort },
  path,
  { user, password } = LOGIN,
) {
  const login = Buffer.from(`${user}:${password}`).toString('base64');
  const url = `http://${managementHost}:${managementPort}${path}`;
  const answer = await fetch(url, { headers: { authorization: `Basic ${login}` } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return await answer.json();
}
