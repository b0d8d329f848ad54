// Owns `leveret backup`: a copy of the data of a broker that runs. Never writes it: the broker does.

import { resolve } from 'node:path';
import type { LiveVerb } from '../../verb/live.ts';

export const backupVerb: LiveVerb = {
  name: 'backup',
  arguments: '<folder>',
  about: 'Copy the data of a running broker into a new folder on its machine.',
  more: 'The copy is a data folder: leveret check, leveret restore and leveret start take it.',
  run: async (api, [folder]) => {
    const path = resolve(String(folder));
    const { bytes, ms } = (await api.call('POST', '/backup', { path })) as {
      bytes: number;
      ms: number;
    };
    return `Copied ${(bytes / 2 ** 20).toFixed(1)} MiB to ${path} in ${(ms / 1000).toFixed(2)} s\n`;
  },
};
