// Owns the version of RabbitMQ that this broker says it behaves as, to clients and tools that ask for one. Never the
// version of the package: src/config/version.ts has that.

/** The last release of RabbitMQ 3. */
export const RABBITMQ_VERSION = '3.13.7';
