import type { Timings } from '../../shared/api/events.ts'
import type { EngineTimings } from '../engine/job.ts'

/** An answer's times as its reader sees them. */
export function timingsOf(engine: EngineTimings, prepareMs: number, totalMs: number): Timings {
  return {
    prepare_ms: roundMs(prepareMs),
    queue_ms: roundMs(engine.queueMs),
    vision_ms: roundMs(engine.visionMs),
    prefill_ms: roundMs(engine.prefillMs),
    decode_ms: roundMs(engine.decodeMs),
    total_ms: roundMs(totalMs),
  }
}

/** Rounds to a tenth of a millisecond: further digits are noise. */
function roundMs(ms: number): number {
  return Math.round(ms * 10) / 10
}
