// Opens the LMDB files of a store that another process has open, only to read, and closes them again.
import { open } from 'lmdb';

const [path] = process.argv.slice(2);
const db = open({ path, noSubdir: false, readOnly: true, encoding: 'binary' });
console.log(`rows ${db.getStats().entryCount}`);
await db.close();
