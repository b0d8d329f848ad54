// Owns how texts for users name a queue or an exchange. Never decides what is said of it.

/** `queue 'jobs' in vhost '/'`. */
export function queueIn(vhost: string, queue: string): string {
  return `queue '${queue}' in vhost '${vhost}'`;
}

/** `exchange 'logs' in vhost '/'`. */
export function exchangeIn(vhost: string, exchange: string): string {
  return `exchange '${exchange}' in vhost '${vhost}'`;
}
