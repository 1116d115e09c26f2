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

/** A program that starts another one as the leader of a group, which starts a third one, and prints the ids of both. */
const parent = `
  import { spawn } from 'node:child_process'
  import { endWithThisProcess } from '${new URL('./group-guard.ts', import.meta.url).href}'
  const leader = \`
    const { pid } = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'])
    console.log(process.pid, pid)
    setInterval(() => {}, 1e6)
  \`
  const child = spawn(process.execPath, ['-e', leader], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  endWithThisProcess(child.pid)
  // Not by itself: it might do so before this process has called the function.
  child.stdout.pipe(process.stdout)
  setInterval(() => {}, 1e6)
`

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

it('ends the group of another process with this one, when that is killed', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', parent], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const line = once(child.stdout, 'data')
  const [said] = (await Promise.race([line, once(child, 'exit')])) as unknown[]
  const started = String(said).trim().split(' ').map(Number)
  expect(started.map(isThere)).toEqual([true, true])
  child.kill('SIGKILL')
  await expect.poll(() => started.some(isThere), { timeout: 20_000 }).toBe(false)
})
