// Who can be asked in SQL: a session of ours, or a test. Values are bound; results are the server's own text.

import type { TextRow } from './replication/socket.ts';

export interface QueryResult {
  readonly rows: readonly TextRow[];
  readonly count: number;
}

export interface Queries {
  query(text: string, values?: readonly unknown[]): Promise<QueryResult>;
}
