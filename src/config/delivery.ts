// What one destination is told about failures, speed and its own transformers → the shape that its lane reads.

import type {
  AdaptiveBatchConfig,
  CircuitBreakerConfig,
  DeliveryConfig,
  PluginConfig,
  RateLimitConfig,
  RetryConfig,
} from '../engine/pipeline-config.ts';
import type { Context } from './components.ts';
import { formatPath, type Path } from './issue.ts';
import type { DestinationErrorHandlingSection, ErrorHandlingSection } from './operation-sections.ts';
import { checkLaneTransformers } from './plugins.ts';
import type { SyncSection } from './sections.ts';
import type { DestinationSection } from './shell.ts';

export function retryConfig(retry: ErrorHandlingSection['retry']): RetryConfig {
  return {
    maxAttempts: retry.max_attempts,
    maxElapsedMs: retry.max_elapsed ?? null,
    initialDelayMs: retry.initial_delay,
    maxDelayMs: retry.max_delay,
    backoff: retry.backoff,
    jitter: retry.jitter,
  };
}

/** The destination's own keys, else those of the pipeline. */
export function deliveryConfig(
  own: DestinationSection,
  all: ErrorHandlingSection,
  sync: SyncSection,
  at: Path,
  context: Context,
): DeliveryConfig {
  const errors: DestinationErrorHandlingSection = own.error_handling ?? {};
  const retry = retryConfig({ ...all.retry, ...errors.retry });
  checkDelays(retry, errors, at, context);
  return {
    retry,
    circuitBreaker: breakerConfig(errors.circuit_breaker ?? all.circuit_breaker),
    rateLimit: rateLimitConfig(own.rate_limit, at, context),
    adaptive:
      own.batch_optimization === undefined ? adaptiveConfig(sync.batch_optimization) : ownAdaptive(own.batch_optimization, at, context),
    writeTimeoutMs: own.write_timeout,
    parkedKeys: errors.parked_keys ?? all.parked_keys,
  };
}

function breakerConfig(section: ErrorHandlingSection['circuit_breaker']): CircuitBreakerConfig | null {
  if (!section?.enabled) return null;
  return {
    failureThreshold: section.failure_threshold,
    resetTimeoutMs: section.reset_timeout,
    halfOpenProbes: section.half_open_probes,
  };
}

function rateLimitConfig(section: DestinationSection['rate_limit'], at: Path, context: Context): RateLimitConfig | null {
  if (section === undefined) return null;
  const { events_per_second: events, bytes_per_second: bytes, burst } = section;
  if (events === undefined && !bytes) {
    context.document.problem({
      code: 'CONFIG_MISSING_KEY',
      path: [...at, 'rate_limit'],
      atKey: true,
      message: `missing key "events_per_second" in ${formatPath([...at, 'rate_limit'])}`,
      expected: 'a number',
      fix: 'Add events_per_second or bytes_per_second.',
    });
  }
  return { eventsPerSecond: events ?? null, bytesPerSecond: bytes || null, burst: burst ?? Math.max(1, Math.ceil(events ?? 1)) };
}

function adaptiveConfig(section: SyncSection['batch_optimization']): AdaptiveBatchConfig | null {
  if (!section?.adaptive_batching) return null;
  const { min_batch_size: minEvents, max_batch_size: maxEvents, target_latency_ms: targetLatencyMs } = section;
  return { minEvents, maxEvents, targetLatencyMs };
}

function ownAdaptive(section: NonNullable<SyncSection['batch_optimization']>, at: Path, context: Context): AdaptiveBatchConfig | null {
  if (section.min_batch_size > section.max_batch_size) {
    const path = [...at, 'batch_optimization', 'min_batch_size'];
    context.document.problem({
      code: 'CONFIG_INVALID_VALUE',
      path,
      message: `${formatPath(path)} is greater than max_batch_size (${section.max_batch_size})`,
    });
  }
  return adaptiveConfig(section);
}

function checkDelays(retry: RetryConfig, { retry: own }: DestinationErrorHandlingSection, at: Path, context: Context): void {
  if (own === undefined || retry.initialDelayMs <= retry.maxDelayMs) return;
  const path = [...at, 'error_handling', 'retry', own.initial_delay === undefined ? 'max_delay' : 'initial_delay'];
  context.document.problem({
    code: 'CONFIG_INVALID_VALUE',
    path,
    message: `${formatPath(path)}: initial_delay is longer than max_delay`,
    fix: 'Raise max_delay.',
  });
}

/** `filter` and `transformers` of a destination, as one list. */
export async function laneTransformers(own: DestinationSection, destination: string, at: Path, context: Context): Promise<PluginConfig[]> {
  const found = await checkLaneTransformers(own.filter, own.transformers, at, context);
  return found.map(({ component, section }) => ({ ...component, name: `${destination}/${component.name}`, timeoutMs: section.timeout }));
}
