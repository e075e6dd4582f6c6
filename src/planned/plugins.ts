// Transformers and middleware that will come, with the keys of the design documents.

import { Type } from '../sdk/index.ts';
import {
  choice,
  decimal,
  duration,
  flag,
  plannedMiddleware,
  plannedTransformer,
  required,
  secret,
  text,
  textOrTexts,
  texts,
  whole,
} from './define.ts';

export const event_sourcing = plannedTransformer({
  type: 'event_sourcing',
  title: 'Rows of an event store as domain events',
  keys: {
    aggregate_field: text('Column with the id of the aggregate.', 'aggregate_id'),
    event_type_field: text('Column with the type of the event.', 'event_type'),
    event_data_field: text('Column with the data of the event.', 'event_data'),
    version_field: text('Column with the version.', 'event_version'),
  },
});

export const iot_aggregation = plannedTransformer({
  type: 'iot_aggregation',
  title: 'Sensor readings per time window',
  keys: {
    time_window: duration('Length of a window.', '5m'),
    aggregation_functions: Type.Optional(
      Type.Array(Type.String({ enum: ['avg', 'min', 'max', 'sum', 'count', 'first', 'last', 'stddev'] }), {
        minItems: 1,
        description: 'What is computed.',
        examples: [['avg', 'min', 'max']],
      }),
    ),
    group_by: textOrTexts('Columns that make the groups.', 'sensor_id'),
    value_field: textOrTexts('Columns with the values.', 'temperature'),
    time_field: text('Column with the time of the reading.', 'read_at'),
    idle_timeout: duration('A window closes after this without events.', '1m'),
  },
});

export const anomaly_detection = plannedTransformer({
  type: 'anomaly_detection',
  title: 'Marks unusual values',
  keys: {
    algorithm: choice(['isolation_forest', 'zscore', 'ewma'], 'How values are judged.'),
    threshold: decimal('From which score on a value is unusual.', 0.1),
    fields: texts('Columns to judge.', 'temperature'),
    window: whole('Values remembered per group.', 256, 1),
    group_by: textOrTexts('Columns that make the groups.', 'sensor_id'),
    seed: whole('Seed of the model.', 1),
  },
});

export const join = plannedTransformer({
  type: 'join',
  title: 'Joins the changes of several sources within a time window',
  keys: {
    left: required(text('Table on the left: source.table.', 'user_db.users')),
    right: required(text('Table on the right: source.table.', 'order_db.orders')),
    on: required(text('Columns that must be equal.', 'users.id = orders.user_id')),
    window: duration('How far apart the two may be.', '10m'),
    kind: choice(['inner', 'left', 'outer'], 'What happens to changes without partner.'),
    output_table: text('Table name of the result.', 'user_orders'),
  },
});

export const gdpr_compliance = plannedMiddleware({
  type: 'gdpr_compliance',
  title: 'Hides personal data and limits how long it is kept',
  keys: {
    pii_fields: texts('Columns with personal data.', 'email'),
    anonymization_strategy: choice(['hash', 'mask', 'delete'], 'What happens to them.'),
    retention_period_days: whole('Older events are left out.', 365, 1),
    salt: secret('Salt of the hashes.', 'PII_SALT'),
  },
});

export const financial_validation = plannedMiddleware({
  type: 'financial_validation',
  title: 'Checks amounts',
  keys: {
    currency_fields: texts('Columns with amounts.', 'amount'),
    precision_check: flag('Amounts must fit the precision of the currency.'),
    regulatory_compliance: choice(['SOX', 'PCI_DSS', 'MIFID_II'], 'Set of rules.'),
    max_decimals: whole('Digits after the point at most.', 2),
  },
});

export const prometheus_metrics = plannedMiddleware({
  type: 'prometheus_metrics',
  title: 'Metrics on a port of their own, and custom ones',
  keys: {
    metrics_port: whole('Port.', 9090, 1),
    custom_metrics: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Type.String({ pattern: '^[a-zA-Z_:][a-zA-Z0-9_:]*$', 'x-expected': 'a metric name' }),
            type: Type.String({ enum: ['counter', 'gauge', 'histogram'] }),
            help: Type.Optional(Type.String()),
            field: Type.Optional(Type.String()),
            labels: Type.Optional(Type.Array(Type.String())),
            buckets: Type.Optional(Type.Array(Type.Number())),
          },
          { additionalProperties: false },
        ),
        { description: 'Metrics of your own.', examples: [[{ name: 'records_processed_total', type: 'counter' }]] },
      ),
    ),
  },
});

export const opentelemetry = plannedMiddleware({
  type: 'opentelemetry',
  title: 'Traces of batches',
  keys: {
    service_name: text('Name of the service.', 'shop-cdc'),
    endpoint: text('Address of the collector.', 'http://localhost:4318'),
    jaeger_endpoint: text('Address of Jaeger.', 'http://jaeger:14268/api/traces'),
    trace_sampling_rate: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1, description: 'Part of the batches that is traced.', examples: [0.1] }),
    ),
  },
});
