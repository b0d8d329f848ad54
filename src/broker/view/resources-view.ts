// Owns the form in which memory and disk are shown. Never looks at either: server/resource-watch.ts does.

/** Memory and disk in bytes, by the names that RabbitMQ's tools know. */
export interface ResourcesView {
  readonly mem_used: number;
  readonly mem_limit: number;
  readonly mem_alarm: boolean;
  readonly disk_free: number;
  readonly disk_free_limit: number;
  readonly disk_free_alarm: boolean;
}
