// Owns what a type of queues means in each place that differs by it. Never holds a type: each has a file of its own
// beside this one, and a row in registry.ts.

/** What a declaration says of how long a queue lives. */
export interface QueueLifetime {
  readonly durable: boolean;
  readonly autoDelete: boolean;
  /** The connection that an exclusive queue belongs to, else null. */
  readonly owner: object | null;
}

/** A type of queues. */
export interface QueueType {
  /** Its name, as `x-queue-type` has it. */
  readonly name: string;
  /** The word of a policy's `apply-to` that means queues of this type alone. */
  readonly applyTo: string;
  /** What is particular to it, for people. */
  readonly about: string;
  /** The highest priority told apart where no argument says so; 0: priorities mean nothing. */
  readonly priorityMax: number;
  /** The priority of a message that names none. */
  readonly priorityDefault: number;
  /** Whether a message that is got carries a count also when it never came back: 0. */
  readonly countsFirstGet: boolean;
  /** Whether basic.get works where a single consumer is active. */
  readonly getBesideSingleActive: boolean;
  /** Whether a consumer can ask to be the only one; else that wish is ignored. */
  readonly exclusiveConsumers: boolean;
  /** Whether its queues have members on nodes, which tools list. */
  readonly hasMembers: boolean;
  /** Whether what a consumer gives back goes out again; else it counts as read as long as the consumer is there. */
  readonly deliversAgain: boolean;
  /** Whether a declaration can leave the name of its queue to the broker. */
  readonly serverNamed: boolean;
  /** The property that keeps a queue of such a life from being of this type, in RabbitMQ's words; null: none does. */
  wrongProperty(lifetime: QueueLifetime): string | null;
}
