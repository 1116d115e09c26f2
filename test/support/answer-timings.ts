import type { Timings } from '../../shared/api/events.ts'

/** Of an answer whose times do not matter to the test. */
export const timings: Timings = {
  prepare_ms: 1,
  queue_ms: 0,
  vision_ms: 0,
  prefill_ms: 1,
  decode_ms: 1,
  total_ms: 3,
}
