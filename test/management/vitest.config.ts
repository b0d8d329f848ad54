// For `npm run rabbitmqadmin` alone, which needs RabbitMQ's script.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/management/rabbitmqadmin.check.ts'], testTimeout: 120_000 },
});
