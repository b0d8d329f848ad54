// Owns the names of direct reply-to. Never knows a queue.

/** The queue that replies are consumed from, and that requests name in `reply-to`. */
export const REPLY_TO = 'amq.rabbitmq.reply-to';

/** What the names of the queues for replies begin with. */
export const REPLY_PREFIX = `${REPLY_TO}.`;

/** Whether a queue of that name, if there is one, is for replies. */
export function isReplyName(name: string): boolean {
  return name.startsWith(REPLY_PREFIX);
}
