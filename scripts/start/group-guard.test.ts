import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

/** A program that guards its group, starts another one that never ends by itself, and prints its id. */
const program = `
  import { execFileSync, spawn } from 'node:child_process'
  import { endGroupWithThisProcess } from '${new URL('./group-guard.ts', import.meta.url).href}'
  endGroupWithThisProcess()
  // Meanwhile the guard has begun.
  for (let run = 0; run < 10; run += 1) execFileSync('/bin/sh', ['-c', ':'])
  const { pid } = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' })
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

it('ends what a killed program has started, and nothing before, with the shell alone', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    detached: true,
    env: { PATH: '/nowhere' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const line = once(child.stdout, 'data')
  const [said] = (await Promise.race([line, once(child, 'exit')])) as unknown[]
  const started = Number(String(said))
  expect(isThere(started)).toBe(true)
  child.kill('SIGKILL')
  await expect.poll(() => isThere(started), { timeout: 20_000 }).toBe(false)
})
