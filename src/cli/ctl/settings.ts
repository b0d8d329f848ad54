// Owns the verbs of rabbitmqctl that change a setting of a broker that runs: their arguments, and which setting each
// means. Never checks a value: the broker does.

import { EXIT_USAGE } from '../exit-codes.ts';
import { type HttpApi, part } from '../verb/http-api.ts';
import { CtlError, type CtlVerb } from './ctl-verb.ts';

async function set(api: HttpApi, name: string, value: unknown): Promise<undefined> {
  await api.call('PUT', `/settings/${part(name)}`, { value: String(value) });
  return undefined;
}

/** RabbitMQ's levels of a log; those with a category change one part of the log there. */
const LEVELS = /^(debug|info|notice|warning|error|critical|alert|emergency|none)$/;

export const SETTING_VERBS: readonly CtlVerb[] = [
  {
    name: 'set_vm_memory_high_watermark',
    arguments: '<fraction> [size]',
    about:
      "Set how much memory may be in use: a fraction, or 'absolute' and a size; until the broker starts again.",
    namesNode: true,
    banner: ({ node, words: [fraction, size] }) =>
      size === undefined
        ? `Setting memory threshold on ${node} to ${fraction} ...`
        : `Setting memory threshold on ${node} to ${size} bytes ...`,
    run: async ({ api, words: [fraction, size] }) => {
      if (fraction !== 'absolute') {
        if (size !== undefined)
          throw new CtlError(EXIT_USAGE, `expected a fraction alone, or absolute <size>`);
        return set(api, 'vm_memory_high_watermark.relative', fraction);
      }
      if (size === undefined)
        throw new CtlError(EXIT_USAGE, 'expected a size after absolute, such as 2GB');
      return set(api, 'vm_memory_high_watermark.absolute', size);
    },
  },
  {
    name: 'set_disk_free_limit',
    arguments: '<limit> [fraction]',
    about:
      "Set how much of the disk must be free: a size, or 'mem_relative' and a fraction of the memory; " +
      'until the broker starts again.',
    namesNode: true,
    banner: ({ node, words: [limit, fraction] }) =>
      fraction === undefined
        ? `Setting disk free limit on ${node} to ${limit} bytes ...`
        : `Setting disk free limit on ${node} to ${fraction} times the total RAM ...`,
    run: async ({ api, words: [limit, fraction] }) => {
      if (limit !== 'mem_relative') {
        if (fraction !== undefined)
          throw new CtlError(EXIT_USAGE, 'expected a size alone, or mem_relative <fraction>');
        return set(api, 'disk_free_limit.absolute', limit);
      }
      if (fraction === undefined)
        throw new CtlError(EXIT_USAGE, 'expected a fraction after mem_relative, such as 1.5');
      return set(api, 'disk_free_limit.relative', fraction);
    },
  },
  {
    name: 'set_log_level',
    arguments: '<level-or-category> [level]',
    about: 'Set the least severe log lines to write, until the broker starts again.',
    banner: ({ words: [category, level] }) => `Setting log level to "${level ?? category}" ...`,
    run: async ({ api, words: [category, level] }) => {
      const wanted = String(level ?? category);
      if (!LEVELS.test(wanted)) {
        const levels = LEVELS.source.replace(/[^a-z|]/g, '').replaceAll('|', ', ');
        throw new CtlError(EXIT_USAGE, `'${wanted}' is no level of a log: expected ${levels}`);
      }
      if (level !== undefined) {
        throw new CtlError(
          EXIT_USAGE,
          `all lines have one level here: leave out '${String(category)}'`,
        );
      }
      return set(api, 'log.level', wanted);
    },
  },
];
