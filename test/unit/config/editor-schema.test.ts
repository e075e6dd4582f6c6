// The schema for editors agrees with the loader: what loads is valid there, and what is misspelt is not.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { componentSchema } from '../../../scripts/gen/editor-schema.ts';
import { pipelineSchema } from '../../../scripts/gen/pipeline-schema.ts';
import { listTypes } from '../../../src/catalog.ts';

const FOLDER = resolve(import.meta.dirname, '../../fixtures/config');
const ajv = new Ajv2020({ strict: false, allErrors: true });
let isValid: (text: string) => string[];

beforeAll(async () => {
  const validate = ajv.compile(pipelineSchema(await listTypes()));
  isValid = (text) => {
    validate(parse(text));
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ''}`);
  };
});

const ENDS = 'source: {type: generator}\ndestination: {type: "null"}\n';

describe('the pipeline schema', () => {
  it.each(readdirSync(join(FOLDER, 'seed-001')))('takes %s', (name) => {
    const text = readFileSync(join(FOLDER, 'seed-001', name), 'utf8').replace(
      /^(source|destination):\n {2}connection_pool:/gm,
      '$1:\n  type: postgresql\n  connection_pool:',
    );
    expect(isValid(/^sources?:/m.test(text) ? text : `${text}\nsource: {type: generator}\n`)).toEqual([]);
  });

  it.each([
    readFileSync(join(FOLDER, 'seed-000/connector.yaml'), 'utf8'),
    'source: {type: generator, rate: "${RATE}"}\ndestination: {type: "null", encode: "${E}", required: "${R:-true}", batch_timeout: "${T}"}\n',
    'source: {type: ./mine.ts, any: thing}\ndestination: {type: "@acme/sink", any: thing}\n',
    `${ENDS}plugins: {transformers: [{type: ./mine.ts, params: {x: 1}}], hooks: {hooks: []}}\n`,
    'source: {type: generator}\ndestination: {type: console, envelope: {type: debezium, compatible: true}}\n',
    'source: {type: generator}\ndestination: {type: console, envelope: "${ENVELOPE}"}\n',
    `${ENDS}sync: {batch_bytes: 8MiB, checkpoint_interval: 500ms, batch_timeout: 0.5}\n`,
  ])('takes document %#', (text) => {
    expect(isValid(text)).toEqual([]);
  });

  it.each([
    'destination: {type: "null"}\n',
    'source: {type: generator, rat: 5}\ndestination: {type: "null"}\n',
    'source: {type: generatr}\ndestination: {type: "null"}\n',
    'source: {type: generator}\ndestination: {type: "null", encode: maybe}\n',
    'source: {type: generator}\ndestination: {type: console, envelope: {type: debezium, compatble: true}}\n',
    'source: {type: generator}\ndestination: {type: console, envelope: avro}\n',
    `${ENDS}sync: {mode: sometimes}\n`,
    `${ENDS}sync: {batch_bytes: 8 apples}\n`,
    `${ENDS}snyc: {}\n`,
    `${ENDS}plugins: {transformers: [{type: event_sourcing, params: {version: v}}]}\n`,
    'name: x\ntype: mysql\nconfig: {}\noutput: {prefix: a}\n',
  ])('refuses document %#', (text) => {
    expect(isValid(text)).not.toEqual([]);
  });

  it('refuses each bad fixture that is about keys and values', () => {
    for (const name of ['misspelt-keys', 'wrong-types', 'bad-values', 'empty-lists', 'durations-and-sizes', 'no-ends']) {
      for (const document of parseAllDocuments(readFileSync(join(FOLDER, 'bad', `${name}.yaml`), 'utf8'))) {
        expect(isValid(String(document)), name).not.toEqual([]);
      }
    }
  });
});

describe('the schema of one type', () => {
  it('compiles, and demands its type', async () => {
    for (const info of await listTypes()) {
      const validate = ajv.compile(componentSchema(info));
      expect(validate({ type: 'something_else' }), `${info.kind} ${info.type}`).toBe(false);
    }
  });
});
