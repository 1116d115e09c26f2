import type { PhaseTimes } from '../job.ts'

export const noPhaseTimes: PhaseTimes = {
  decode: { count: 0, ms: 0 },
  prefill: { count: 0, ms: 0 },
  mixed: { count: 0, ms: 0 },
  vision: { count: 0, ms: 0 },
}

interface Step {
  /** Tokens that streams went on by, and tokens of prompts that were read. */
  readonly decodeRows: number
  readonly promptTokens: number
  readonly ms: number
}

/** @param step undefined when there was none */
export function withStep(times: PhaseTimes, step: Step | undefined): PhaseTimes {
  return step === undefined ? times : withOne(times, phaseOf(step), step.ms)
}

/** @param work 0 when no picture was looked at */
export function withLook(times: PhaseTimes, work: number, ms: number): PhaseTimes {
  return work === 0 ? times : withOne(times, 'vision', ms)
}

function withOne(times: PhaseTimes, phase: keyof PhaseTimes, ms: number): PhaseTimes {
  const { count, ms: before } = times[phase]
  return { ...times, [phase]: { count: count + 1, ms: before + ms } }
}

function phaseOf({ decodeRows, promptTokens }: Step): keyof PhaseTimes {
  if (promptTokens === 0) return 'decode'
  return decodeRows === 0 ? 'prefill' : 'mixed'
}
