import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

/** A program that guards its group, starts another one that never ends by itself, and prints its id. */
const program = `
  import { spawn } from 'node:child_process'
  import { endGroupWithThisProcess } from '${new URL('./group-guard.ts', import.meta.url).href}'
  endGroupWithThisProcess()
  const { pid } = spawn('sleep', ['1000'], { stdio: 'ignore' })
  console.log(pid)
`

/** A process that has ended but has not been reaped yet counts as gone. */
function isThere(pid: number): boolean {
  try {
    return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

it('ends what a killed program has started', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const started = Number(line.toString())
  expect(isThere(started)).toBe(true)
  child.kill('SIGKILL')
  await expect.poll(() => isThere(started), { timeout: 20_000 }).toBe(false)
})
