/** Entry of the process that runs parts of the check. */
import { createCardContext } from './card-context.ts'
import type { CardCheckOptions } from './options.ts'
import type { FromParts, PartPlan } from './part.ts'
import { parts } from './parts.ts'
import { runSteps } from './run-steps.ts'
import { beginningMs, limitOf } from './time-shares.ts'

/** What the process is started with, as JSON. */
export interface PartsInit {
  readonly options: CardCheckOptions
  /** In their order, with their shares of the time. */
  readonly plan: readonly PartPlan[]
  /** When everything has to be over, in milliseconds of `Date.now()`. */
  readonly endsAt: number
}

const { options, plan, endsAt } = JSON.parse(process.argv[2]!) as PartsInit
const context = createCardContext(options)
// The process that reads the results is gone.
process.once('disconnect', () => process.exit())
for (const [i, { name }] of plan.entries()) {
  tell({ type: 'begin', part: name })
  const { isLost, ...missing } = await runPart(i)
  tell({ type: 'end', missing })
  if (isLost) break
}
await context.close().catch(() => {})
process.disconnect()

async function runPart(i: number) {
  const until = performance.now() + beginningMs(limitOf(plan.slice(i), endsAt - Date.now()))
  const part = parts.find(({ name }) => name === plan[i]!.name)!
  const running = runSteps(part.steps(context), () => until - performance.now())
  for (;;) {
    const { done, value } = await running.next()
    if (done === true) return value
    tell({ type: 'row', row: value })
  }
}

function tell(message: FromParts): void {
  process.send?.(message)
}
