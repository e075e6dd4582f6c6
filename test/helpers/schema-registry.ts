// The registry and the reader of Avro that integration tests of formats use, or why they are not there.

import { spawnSync } from 'node:child_process';
import { pythonFolder } from '../../scripts/services/schema-registry.ts';
import { serviceUrl } from '../../scripts/services/service-url.ts';

/** `null`, and said once: it cannot be had everywhere. Where `CI` is set it must be there. */
export async function registryUrl(): Promise<string | null> {
  const url = await serviceUrl('schema-registry');
  if (url === null)
    complain('no schema registry for tests: run `npm run services up schema-registry`, or set CDC_TEST_SCHEMA_REGISTRY_URL');
  return url;
}

/** Is there a reader that is not ours? */
export function hasFastavro(): boolean {
  const found = python('import fastavro', '').status === 0;
  if (!found) complain('no fastavro for tests: `npm run services up schema-registry` installs it with pip');
  return found;
}

function complain(reason: string): void {
  if (process.env['CI']) throw new Error(reason);
  console.warn(`SKIPPED: ${reason}`);
}

const READ = `
import base64, datetime, decimal, io, json, sys, uuid
import fastavro
def plain(v):
    if isinstance(v, dict): return {k: plain(x) for k, x in v.items()}
    if isinstance(v, list): return [plain(x) for x in v]
    if isinstance(v, bytes): return v.hex()
    if isinstance(v, (decimal.Decimal, uuid.UUID)): return str(v)
    if isinstance(v, (datetime.datetime, datetime.date, datetime.time)): return v.isoformat()
    return v
asked = json.load(sys.stdin)
schema = fastavro.parse_schema(json.loads(asked["schema"]))
out = []
for text in asked["data"]:
    data = io.BytesIO(bytes.fromhex(text))
    out.append(plain(fastavro.schemaless_reader(data, schema)))
    assert data.read() == b"", "bytes are left"
print(json.dumps(out))
`;

/** What fastavro makes of data without a head: decimals, times and uuids as text, bytes in hexadecimal digits. */
export function readByFastavro(schema: string, data: readonly Uint8Array[]): unknown[] {
  const { status, stdout, stderr } = python(READ, JSON.stringify({ schema, data: data.map((d) => Buffer.from(d).toString('hex')) }));
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as unknown[];
}

function python(code: string, input: string): { status: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, PYTHONPATH: pythonFolder() };
  return spawnSync('python3', ['-c', code], { input, encoding: 'utf8', env, maxBuffer: 64 << 20 });
}
