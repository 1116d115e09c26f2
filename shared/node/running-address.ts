import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'

const schema = z.object({
  /** URL for clients. */
  url: z.url(),
  /** Process id of `npm start`. */
  pid: z.int(),
})

/** Where the product of one state folder can be reached while it runs. */
export type RunningAddress = Readonly<z.infer<typeof schema>>

/** The file in a state folder that `npm start` keeps while the product is up. */
export function runningFile(stateDir: string): string {
  return join(stateDir, 'running.json')
}

/** @returns undefined when nothing is running there; after a crash it may be the previous run's address */
export function readRunningAddress(stateDir: string): RunningAddress | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(runningFile(stateDir), 'utf8')))
  } catch {
    return undefined
  }
}
