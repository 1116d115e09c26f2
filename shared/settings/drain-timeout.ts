import { integerSetting } from './integer.ts'

/** Milliseconds that running requests get to end by themselves once a program is asked to stop, unless configured. */
const defaultDrainTimeoutMs = 30_000

/** `DRAIN_TIMEOUT_MS` of edge and backend. Requests that run longer end with `shutting_down`. */
export const drainTimeoutSetting = integerSetting(0, 86_400_000).default(defaultDrainTimeoutMs)
