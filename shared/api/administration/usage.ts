import * as z from 'zod'
import { integerSetting } from '../../settings/integer.ts'

/** Keys on one page of usage: on Workers each key is a request to another object, and a request may make about 50. */
const maxPageKeys = 40

/** `GET /admin/usage`; days are UTC, and both ends are included. */
export const usageQuery = z.strictObject({
  /** One key only, which may have been removed. */
  key_id: z.string().min(1).max(64).optional(),
  from: z.iso.date().optional(),
  to: z.iso.date().optional(),
  limit: integerSetting(1, maxPageKeys).default(maxPageKeys),
  /** `next` of the previous page. */
  after: z.string().max(64).optional(),
})

const count = z.int().min(0)

/** One key's use on one day. A call counts for the day it was admitted. */
const dayUsageView = z.object({
  key_id: z.string(),
  day: z.string(),
  /** Admitted calls that have ended, including `errors` and `cancelled`. */
  requests: count,
  errors: count,
  cancelled: count,
  images: count,
  /** Sums of the answers' `usage`. */
  prompt_tokens: count,
  image_tokens: count,
  completion_tokens: count,
  /** Prompt and completion tokens of calls that broke off. They count towards limits, but not in the fields above. */
  unfinished_tokens: count,
  /** From admission to end, summed over all calls. */
  seconds: z.number().min(0),
})
export type DayUsage = Readonly<z.infer<typeof dayUsageView>>

export const usageView = z.object({
  from: z.string(),
  to: z.string(),
  /** Days without calls are left out. */
  usage: z.array(dayUsageView),
  /** Pass it as `after` to get more keys; null when there are none. */
  next: z.string().nullable(),
})
