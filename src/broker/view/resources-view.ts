// Owns the form in which memory and disk are shown. Never looks at either: server/backpressure/resource-monitor.ts does.

import type { JsonValue } from '../../util/json/json.ts';

/** Memory and disk in bytes, by the names that RabbitMQ's tools know. */
export interface ResourcesView {
  readonly mem_used: number;
  readonly mem_limit: number;
  readonly mem_alarm: boolean;
  readonly disk_free: number;
  readonly disk_free_limit: number;
  readonly disk_free_alarm: boolean;
}

/** A parameter of a vhost; operator policies and limits are among them, as RabbitMQ has it. */
export interface ParameterView {
  readonly vhost: string;
  readonly component: string;
  readonly name: string;
  readonly value: JsonValue;
}
