import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { Program } from './program.ts'

/** Starts another process and prints both ids, as worker-edge.ts does with workerd. */
const script = `
import { spawn } from 'node:child_process'
const { pid } = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1_000)'])
console.log(\`pids \${process.pid} \${pid}\`)
setInterval(() => {}, 1_000)
`

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

it('ends what a program has started, even if that program is killed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'program-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'program.mjs')
  await writeFile(file, script)
  const lines: string[] = []
  const program = new Program({
    name: 'edge',
    script: file,
    environment: process.env,
    logFile: join(folder, 'edge.log'),
    drainMs: 0,
    logLevel: 'info',
    print: (line) => lines.push(line),
  })
  onTestFinished(() => program.stop())
  const found = () => /pids (\d+) (\d+)/.exec(lines.join('\n'))
  await vi.waitFor(() => expect(found()).not.toBeNull(), 20_000)
  const [own, started] = found()!.slice(1).map(Number) as [number, number]
  process.kill(own, 'SIGKILL')
  expect(await program.ended).toBe('signal SIGKILL')
  await vi.waitFor(() => expect(isRunning(started)).toBe(false), 20_000)
})
