import * as z from 'zod'

/** Keys in one page of usage: on Workers each is a question to another object, of which a request may ask some 50. */
const maxPageKeys = 40

/** `GET /admin/usage`; days in UTC, both included. */
export const usageQuery = z.strictObject({
  /** One key only; also one that was removed. */
  key_id: z.string().min(1).max(64).optional(),
  from: z.iso.date().optional(),
  to: z.iso.date().optional(),
  limit: z
    .string()
    .regex(/^\d+$/, 'expected a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(maxPageKeys))
    .default(maxPageKeys),
  /** `next` of the page before. */
  after: z.string().max(64).optional(),
})

const count = z.int().min(0)

/** One key's use in one day. Calls count for the day they were admitted in. */
const dayUsageView = z.object({
  key_id: z.string(),
  day: z.string(),
  /** Admitted calls that have ended; `errors` and `cancelled` are among them. */
  requests: count,
  errors: count,
  cancelled: count,
  images: count,
  /** The sums of the answers' `usage`. */
  prompt_tokens: count,
  image_tokens: count,
  completion_tokens: count,
  /** Prompt and completion tokens of calls that broke off. They count towards limits, and nowhere above. */
  unfinished_tokens: count,
  /** From admission to end, all calls together. */
  seconds: z.number().min(0),
})
export type DayUsage = Readonly<z.infer<typeof dayUsageView>>

export const usageView = z.object({
  from: z.string(),
  to: z.string(),
  /** Days without calls are left out. */
  usage: z.array(dayUsageView),
  /** What to send as `after` for more keys; null when there are none. */
  next: z.string().nullable(),
})
