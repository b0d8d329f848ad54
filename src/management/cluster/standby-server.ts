// Owns the HTTP port of a node that does not lead. What serves there is loaded by the first request. Never answers one.

import { type ToolContext, ToolServer } from '../listen.ts';
import type { HandOnAround } from './hand-on.ts';

/** What answers for a node that does not lead, and hands all else on to the one that does. */
export function standbyServer(context: ToolContext & HandOnAround): ToolServer {
  return new ToolServer(context, async (server, sockets) => {
    const { HandOn } = await import('./hand-on.ts');
    return new HandOn(context).serve(server, sockets);
  });
}
