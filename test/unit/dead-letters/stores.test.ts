import { openFileDeadLetterQueue } from '../../../src/dead-letters/file-queue.ts';
import { openSqliteDeadLetterQueue } from '../../../src/dead-letters/sqlite-queue.ts';
import { systemClock } from '../../../src/sdk/index.ts';
import { describeStoreContract } from './contract.ts';

describeStoreContract('file', openFileDeadLetterQueue);
describeStoreContract('sqlite', (path) => openSqliteDeadLetterQueue(path, systemClock));
