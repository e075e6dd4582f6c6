// The middleware `audit_trail`: a log of every write, chained by hashes and signed on request.

import { resolve } from 'node:path';
import { defineMiddleware } from 'cdc-run/sdk';
import { AuditTrail } from './audit-trail.ts';
import { configSchema, validate } from './config.ts';
import { signerOf } from './signature.ts';

export const descriptor = defineMiddleware({
  type: 'audit_trail',
  title: 'A log of every write, chained by hashes and signed on request',
  config: configSchema,
  validate,
  create: (config, ctx) => {
    const path = resolve(config.path ?? `.cdc/audit/${ctx.pipeline}.ndjson`);
    return new AuditTrail(config, ctx, path, signerOf(config, path, ctx.logger));
  },
});
