import { logClientContract } from './log-client-contract.ts';
import { MemoryLogClient, SharedLog } from './memory-log-client.ts';

logClientContract('memory', () => {
  const log = new SharedLog();
  return Promise.resolve(() => Promise.resolve(new MemoryLogClient(log)));
});
