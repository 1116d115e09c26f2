import { defaultDeadlineMs, maxDeadlineMs } from '../api/limits.ts'
import { integerSetting } from './integer.ts'

/** `DEADLINE_MS` of edge and backend: milliseconds one request may take in all. */
export const deadlineSetting = integerSetting(1_000, maxDeadlineMs).default(defaultDeadlineMs)
