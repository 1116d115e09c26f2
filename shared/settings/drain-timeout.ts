import { integerSetting } from './integer.ts'

/** Milliseconds that requests under way get to end by themselves once a program is asked to stop, unless configured. */
const defaultDrainTimeoutMs = 30_000

/** `DRAIN_TIMEOUT_MS` of edge and backend. What runs longer is ended with `shutting_down`. */
export const drainTimeoutSetting = integerSetting(0, 86_400_000).default(defaultDrainTimeoutMs)
