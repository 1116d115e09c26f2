import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { ProcessMark } from './process-mark.ts'

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'process-mark-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

/** A process that marks itself, collects its garbage, reports the mark, and keeps running. */
const program = `
  import { ProcessMark } from '${new URL('./process-mark.ts', import.meta.url).href}'
  const { id } = new ProcessMark(process.argv[2])
  gc()
  setTimeout(() => process.send(id), 50)
  setInterval(() => undefined, 1_000)
`

it('distinguishes a running process from one that was killed', async () => {
  const folder = newFolder()
  const script = join(folder, 'program.mjs')
  writeFileSync(script, program)
  const child = fork(script, [folder], { execArgv: ['--expose-gc'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [id] = (await once(child, 'message')) as [string]
  const mark = new ProcessMark(folder)
  expect([mark.isGone(id), mark.isGone(id), mark.isGone(mark.id)]).toEqual([false, false, false])
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect([mark.isGone(id), mark.isGone(id)]).toEqual([true, true])
  expect(readdirSync(folder).filter((name) => name.endsWith('.lock'))).toEqual([`${mark.id}.lock`])
  mark.remove()
})

it('removes what processes that were killed have left, and nothing of others', async () => {
  const folder = newFolder()
  const script = join(folder, 'program.mjs')
  writeFileSync(script, program)
  const marks = join(folder, 'marks')
  const start = async () => {
    const child = fork(script, [marks], { execArgv: ['--expose-gc'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [id] = (await once(child, 'message')) as [string]
    return { child, id }
  }
  const [killed, running] = [await start(), await start()]
  killed.child.kill('SIGKILL')
  await once(killed.child, 'exit')
  const [half, young] = [0, 1].map(() => `${crypto.randomUUID()}.lock.new`) as [string, string]
  for (const name of [half, young]) writeFileSync(join(marks, name), '')
  utimesSync(join(marks, half), 0, 0)
  const mark = new ProcessMark(marks)
  const expected = [`${running.id}.lock`, `${mark.id}.lock`, young]
  expect(readdirSync(marks).toSorted()).toEqual(expected.toSorted())
  mark.remove()
})

it.each(['', '4711', '../../etc/passwd', crypto.randomUUID()])('knows no process %j', (id) => {
  const mark = new ProcessMark(newFolder())
  expect(mark.isGone(id)).toBe(true)
  mark.remove()
})
