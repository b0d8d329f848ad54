// A process of its own that opens a data folder, says so, and holds it until it is told to release it.
// Arguments: the folder. Prints `held <pid>` or `refused <message>`.

import { openDataFolder } from '../../../dist/store/folder.js';

try {
  const folder = await openDataFolder(process.argv[2]);
  console.log(`held ${process.pid}`);
  process.stdin.on('data', async () => {
    await folder.release();
    process.exit(0);
  });
} catch (error) {
  console.log(`refused ${error.message}`);
}
