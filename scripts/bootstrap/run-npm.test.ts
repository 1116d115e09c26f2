import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'npm-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

it('says how far a long installation is, until it has ended', () => {
  const npm = join(folder, 'npm-cli.js')
  writeFileSync(npm, `setTimeout(() => console.error('installed'), 1_000)`)
  const program = `
    import { runNpm } from './scripts/bootstrap/run-npm.mjs'
    let asked = 0
    await runNpm(['ci'], '.', { intervalMs: 100, state: () => \`\${++asked} of many\` })`
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program],
    { env: { ...process.env, npm_execpath: npm }, encoding: 'utf8' },
  )
  expect(status).toBe(0)
  const lines = stderr.trim().split('\n')
  // A busy machine may not let it run for longer than a second.
  expect(lines[0]).toMatch(/^1 of many, \d s$/)
  expect(lines[1]).toMatch(/^2 of many, \d s$/)
  expect(lines).toContain('installed')
})

it('passes a signal on to npm, waits until it has cleaned up, and ends with it', async () => {
  const npm = join(folder, 'npm-cli.js')
  const cleaningUp = `process.on('SIGINT', () => setTimeout(() => {
    console.error('cleaned up')
    process.exit(1)
  }, 300))`
  writeFileSync(npm, `${cleaningUp}\nconsole.error('begun')\nsetInterval(() => {}, 1_000)`)
  const program = `
    import { runNpm } from './scripts/bootstrap/run-npm.mjs'
    await runNpm(['ci'], '.', { state: () => '' }).catch((error) => process.exit(error.exitCode))`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    env: { ...process.env, npm_execpath: npm },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  let interrupted = false
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
    // Once: a second one might come when npm has ended, and nobody is waiting for it any more.
    if (!said.includes('begun') || interrupted) return
    interrupted = true
    child.kill('SIGINT')
  })
  const [code] = (await once(child, 'close')) as [number]
  expect(code).toBe(130)
  expect(said).toMatch(/begun[^]*Stopping the installation[^]*cleaned up/)
})
