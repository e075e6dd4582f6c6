import { writeFileSync } from 'node:fs';
import { mariadb, mysql } from '../../scripts/services/mysql.ts';
import { connect, startServer } from './server.ts';
import { createWorkload } from './workload.ts';

const kind = process.argv[2] as string;
const server = await startServer(kind === 'mariadb' ? mariadb : mysql);
const client = await connect(server);
const phases = await createWorkload(client, kind === 'mariadb' ? 'longtext' : 'json', 300000, 50000);
const [files] = await client.query('SHOW BINARY LOGS');
await client.end();
writeFileSync(`/tmp/keep-${kind}.json`, JSON.stringify({ url: server.url, port: server.port, pid: server.pid, phases, files }));
