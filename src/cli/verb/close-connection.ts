// Owns how a verb has a connection closed, and how the reason gets to the broker. Never chooses the connection.

import { UsageError } from '../exit-codes.ts';
import { type HttpApi, part } from './http-api.ts';

/**
 * Closes a connection; its client is told the reason, or a usual one when that is empty. Rejects with a UsageError for a
 * reason that cannot be sent, and with an ApiError.
 */
export async function closeConnection(api: HttpApi, name: string, reason: string): Promise<void> {
  const headers = reason === '' ? {} : { 'x-reason': headerOf(reason) };
  await api.call('DELETE', `/connections/${part(name)}`, undefined, headers);
}

/** A text as the value of a header, which is a letter for each byte of its UTF-8, as other clients of the API send it. */
function headerOf(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a header cannot carry
  if (/[\x00-\x1f\x7f]/.test(text)) {
    throw new UsageError('the reason must be one line without control characters');
  }
  return Buffer.from(text, 'utf8').toString('latin1');
}
