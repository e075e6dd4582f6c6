// The parts of the destination, put together.

import { SqlDestination } from '../../relational/destination.ts';
import { isConstant } from '../../relational/target-name.ts';
import { Targets } from '../../relational/targets.ts';
import { Writer } from '../../relational/writer.ts';
import type { DestinationContext } from '../../sdk/index.ts';
import { describeEndpoint, endpointOf } from '../../systems/mysql/endpoint.ts';
import { findings } from './check.ts';
import { type MysqlConfig, targetDatabase } from './config.ts';
import { Connections, type Session } from './connection.ts';
import { engineFor } from './engine.ts';
import { classify } from './errors.ts';
import { PointTable } from './points.ts';
import { tables } from './tables.ts';
import { spelling } from './types.ts';

export function createDestination(config: MysqlConfig, ctx: DestinationContext, env: NodeJS.ProcessEnv): SqlDestination<Session> {
  const endpoint = endpointOf(config, env),
    server = describeEndpoint(endpoint),
    schema = targetDatabase(config) ?? '',
    { table: template, create_tables: create, conflict_resolution: resolution } = config;
  const pointsSchema = config.points_schema ?? schema,
    points = new PointTable(pointsSchema),
    conflict = resolution === 'replace' ? 'replace' : 'upsert';
  const targets = new Targets(tables, { schema, template, pointsSchema, create, evolution: ctx.schemaEvolution }, ctx.logger);
  const engine = engineFor(points, { conflict, maxRows: config.connection_pool.batch_insert_size });
  const writer = new Writer(engine, targets, spelling, {
    conflict,
    keepExisting: resolution === 'ignore',
    keepDeleted: config.deletes === 'ignore',
    sharedTarget: isConstant(template),
    leavesOut: (table) => ctx.schemaEvolution.modeOf(table) === 'discard',
  });
  return new SqlDestination({
    connections: new Connections(config, endpoint, ctx.clock, ctx.logger),
    points,
    targets,
    writer,
    findings: (session) => findings(session, { server, endpoint, schema, pointsSchema, template, create }),
    classify: (error) => classify(error, server),
    where: `destination "${ctx.name}"`,
  });
}
