import type { Registry } from 'prom-client'
import { residentBytes } from '../../shared/node/metrics/resident-bytes.ts'
import type { LayersByPlace } from '../device/choose-provider.ts'
import type { EngineSnapshot } from '../engine/job.ts'
import type { Serving } from '../serving/serving.ts'
import { addClusterMetrics } from './cluster-metrics.ts'
import { addCounters, addGauges, type Reading } from './reading.ts'

export interface EngineMetricsParts {
  readonly serving: Pick<
    Serving,
    'snapshot' | 'startUp' | 'enginePid' | 'decodePids' | 'workerThreads' | 'engines'
  >
  readonly isReady: () => boolean
  /** What runs the decoder; undefined with external engines. */
  readonly provider: { readonly name: string; readonly layers: LayersByPlace } | undefined
}

/** What is read from the engine, or what is known about external engines. */
export function addEngineMetrics(registry: Registry, parts: EngineMetricsParts): void {
  const { engines } = parts.serving
  addGauges(registry, gaugesOf(parts))
  if (engines !== undefined) return addClusterMetrics(registry, engines)
  addGauges(registry, ownGaugesOf(parts))
  addCounters(registry, ownCountersOf(parts))
}

function gaugesOf(parts: EngineMetricsParts): readonly Reading[] {
  const { serving, isReady, provider } = parts
  return [
    {
      name: 'describe_ready',
      help: 'Whether requests are served: 1 or 0',
      read: () => Number(isReady()),
    },
    {
      name: 'describe_provider',
      help: 'Always 1; the label names what runs the decoder: cpu or webgpu',
      label: 'provider',
      read: () => (provider === undefined ? [] : [[provider.name, 1]]),
    },
    {
      name: 'describe_decoder_layers',
      help: 'Layers of the decoder by where they run (DEVICE_MAP)',
      label: 'device',
      read: () => Object.entries(provider?.layers ?? {}),
    },
    {
      name: 'describe_requests_waiting',
      help: 'Requests that wait for a slot',
      label: 'priority',
      read: () => [
        ['interactive', serving.snapshot().queuedInteractive],
        ['batch', serving.snapshot().queuedBatch],
      ],
    },
    {
      name: 'describe_requests_waiting_limit',
      help: 'Most requests that may wait (QUEUE_LIMIT)',
      read: () => serving.snapshot().queueLimit,
    },
    {
      name: 'describe_slots_running',
      help: 'Answers that are generated now',
      read: () => serving.snapshot().slotsInUse,
    },
    {
      name: 'describe_slots',
      help: 'Answers that can be generated at the same time (SLOTS)',
      read: () => serving.snapshot().slots,
    },
    {
      name: 'describe_decode_processes',
      help: 'Processes that decode pictures',
      read: () => serving.decodePids().length,
    },
    {
      name: 'describe_worker_threads',
      help: 'Threads of the backend that encode texts or compile schemas',
      read: () => serving.workerThreads(),
    },
    {
      name: 'describe_child_resident_memory_bytes',
      help: 'Memory of the processes beside this one; 0 where the system has no /proc',
      label: 'process',
      read: () => [
        ['engine', residentBytes([serving.enginePid() ?? []].flat())],
        ['decode', residentBytes(serving.decodePids())],
      ],
    },
  ]
}

/** What only this server's own engine reports. */
function ownGaugesOf({ serving }: EngineMetricsParts): readonly Reading[] {
  return [
    {
      name: 'describe_slots_paused',
      help: 'Answers that gave way to others and go on later',
      read: () => serving.snapshot().paused,
    },
    {
      name: 'describe_kv_cache_usage_ratio',
      help: 'Part of the KV cache that running answers and kept prefixes hold, 0 to 1',
      label: 'holder',
      read: () => kvUsage(serving.snapshot()),
    },
    {
      name: 'describe_image_cache_bytes',
      help: 'Features of pictures kept for those to come',
      read: () => serving.snapshot().memory.imageBytes,
    },
  ]
}

function kvUsage({ memory }: EngineSnapshot) {
  const part = (tokens: number) => (memory.limitTokens === 0 ? 0 : tokens / memory.limitTokens)
  return [
    ['slots', part(memory.slotTokens)],
    ['prefixes', part(memory.prefixTokens)],
  ] as const
}

/** The engine's counters restart at 0 each time it starts, as counters may. */
function ownCountersOf({ serving }: EngineMetricsParts): readonly Reading[] {
  return [
    {
      name: 'describe_engine_restarts_total',
      help: 'Times the inference process had to be started again',
      read: () => Math.max(0, serving.startUp().starts - 1),
    },
    {
      name: 'describe_engine_steps_total',
      help: 'Steps of the engine: of tokens (decode), of prompts (prefill), of both (mixed), pieces of pictures (vision)',
      label: 'phase',
      read: () =>
        Object.entries(serving.snapshot().phases).map(([phase, { count }]) => [phase, count]),
    },
    {
      name: 'describe_engine_step_seconds_total',
      help: 'Time these steps took',
      label: 'phase',
      read: () =>
        Object.entries(serving.snapshot().phases).map(([phase, { ms }]) => [phase, ms / 1_000]),
    },
    {
      name: 'describe_engine_draft_tokens_total',
      help: 'Tokens of answers that were drafted and verified: accepted or rejected',
      label: 'outcome',
      read: () => {
        const { draftedTokens, acceptedTokens } = serving.snapshot().speculation
        return [
          ['accepted', acceptedTokens],
          ['rejected', draftedTokens - acceptedTokens],
        ]
      },
    },
    {
      name: 'describe_engine_images_total',
      help: 'Pictures processed by the vision tower; the others were in the image cache',
      read: () => serving.snapshot().visionRuns,
    },
  ]
}
