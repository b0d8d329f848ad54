// Owns `leveret settings ...` on a running broker. Never reads a value: the broker does, as it reads files.

import { jsonText } from '../../../util/json/json-writer.ts';
import { formatOf } from '../../verb/answers.ts';
import { part } from '../../verb/http-api.ts';
import type { LiveVerb } from '../../verb/live.ts';
import type { Options } from '../../verb/verb.ts';

const COLUMNS = ['name', 'value', 'origin', 'changes'];
const UNTIL = 'This holds until it is unset or the broker restarts.';

type Row = Readonly<Record<string, unknown>> & { readonly name: string };

/** What holds now, in one line, or whole as JSON. */
function said(setting: unknown, options: Options): string {
  if (formatOf(options) === 'json') return `${jsonText(setting, 2)}\n`;
  const { name, value, origin, changes } = setting as Row;
  const from = changes === 'at once' ? '' : `, ${changes}`;
  return `${name} = ${value} (${origin}${from})\n`;
}

export const settingVerbs: readonly LiveVerb[] = [
  {
    name: 'list',
    about: 'List all settings: value, origin, and whether it can change at run time.',
    run: async (api) => ({ columns: COLUMNS, rows: await api.get<Row[]>('/settings') }),
  },
  {
    name: 'get',
    arguments: '<name>',
    about: 'Show one setting.',
    run: async (api, [name]) => ({
      columns: [...COLUMNS, 'default', 'expects'],
      rows: [await api.get<Row>(`/settings/${part(String(name))}`)],
    }),
  },
  {
    name: 'set',
    arguments: '<name> <value>',
    about: `Change a setting while the broker runs. ${UNTIL}`,
    more: 'Example:\n  leveret settings set vm_memory_high_watermark.relative 0.6',
    run: async (api, [name, value], options) =>
      said(await api.call('PUT', `/settings/${part(String(name))}`, { value }), options),
  },
  {
    name: 'unset',
    arguments: '<name>',
    about: 'Return a setting to the value of files, variables and flags.',
    run: async (api, [name], options) =>
      said(await api.call('DELETE', `/settings/${part(String(name))}`), options),
  },
];
