/** Entry of the process that runs parts of the check. */
import { createCardContext } from './card-context.ts'
import type { CardCheckOptions } from './options.ts'
import type { FromParts } from './part.ts'
import { parts } from './parts.ts'
import { runSteps } from './run-steps.ts'
import { beginningMs, limitOf } from './time-shares.ts'

/** What the process is started with, as JSON. */
export interface PartsInit {
  readonly options: CardCheckOptions
  /** Of the parts, in their order. */
  readonly names: readonly string[]
  /** When everything has to be over, in milliseconds of `Date.now()`. */
  readonly endsAt: number
}

const { options, names, endsAt } = JSON.parse(process.argv[2]!) as PartsInit
const context = createCardContext(options)
const own = parts.filter(({ name }) => names.includes(name))
// The process that reads the results is gone.
process.once('disconnect', () => process.exit())
for (const [i, { name }] of own.entries()) {
  tell({ type: 'begin', part: name })
  const { isLost, ...missing } = await runPart(i)
  tell({ type: 'end', missing })
  if (isLost) break
}
await context.close().catch(() => {})
process.disconnect()

async function runPart(i: number) {
  const until = performance.now() + beginningMs(limitOf(own.slice(i), endsAt - Date.now()))
  const running = runSteps(own[i]!.steps(context), () => until - performance.now())
  for (;;) {
    const { done, value } = await running.next()
    if (done === true) return value
    tell({ type: 'row', row: value })
  }
}

function tell(message: FromParts): void {
  process.send?.(message)
}
