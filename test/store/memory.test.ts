import { openMemoryStore } from '../../src/store/memory/engine.ts';
import { storeContract } from './contract.ts';

storeContract('the memory engine', async () => openMemoryStore());
