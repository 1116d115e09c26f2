/** Entry of the process that runs parts of the check: its arguments are the options as JSON and the parts' names. */
import { createCardContext } from './card-context.ts'
import type { CardCheckOptions } from './options.ts'
import type { FromParts } from './part.ts'
import { parts } from './parts.ts'
import { errorText } from '../../../../shared/log/error-text.ts'

const [options, ...names] = process.argv.slice(2)
const context = createCardContext(JSON.parse(options!) as CardCheckOptions)
for (const name of names) {
  tell({ type: 'begin', part: name })
  tell({ type: 'end', problem: await problemOf(name) })
}
await context.close().catch(() => {})
process.disconnect()

async function problemOf(name: string): Promise<string | undefined> {
  try {
    for await (const row of parts.find((part) => part.name === name)!.run(context)) {
      tell({ type: 'row', row })
    }
    return undefined
  } catch (error) {
    return errorText(error)
  }
}

function tell(message: FromParts): void {
  process.send?.(message)
}
