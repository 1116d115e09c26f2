import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createCertificates } from '../shared/node/certificates/create-certificates.ts'
import { FakeEngine, until } from '../test/support/backends/test-backend.ts'
import { type NanoBackend, startNanoBackend } from '../test/support/backends/nano-backend.ts'
import { startNodeEdge } from '../test/support/edges/node-edge.ts'
import type { RunningEdge } from '../test/support/suites/edge-suite.ts'

const apiKey = 'folder-key-3f9d0c7a51b2e6aa'
const golden = 'test/golden/images'

interface GoldenCase {
  readonly id: string
  readonly greedy_text: string
}

let nano: NanoBackend
let edge: RunningEdge
let script: FakeEngine
let folder: string
let record: string
beforeAll(async () => {
  const names = { server: ['localhost', '127.0.0.1'], client: 'edge' }
  const certificates = await createCertificates(names, Date.now())
  const noWeb = () => Promise.reject(new Error('There is no network here'))
  nano = await startNanoBackend(certificates, noWeb)
  edge = await startNodeEdge({ apiKey, backendUrl: nano.url, certificates })
})
afterAll(async () => {
  await edge.stop()
  await nano.stop()
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'describe-folder-'))
  record = join(folder, 'descriptions.jsonl')
  nano.script = script = new FakeEngine()
})
afterEach(() => rm(folder, { recursive: true }))

function addPicture(name: string, as: string) {
  copyFileSync(join(golden, name), join(folder, as))
}

function start(options: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const args = ['cli/describe.ts', 'folder', folder, ...options]
  const env = { DESCRIBE_URL: edge.url, DESCRIBE_API_KEY: apiKey, ...environment }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const closed = once(child, 'close') as Promise<[number | null]>
  const result = Promise.all([closed, text(child.stdout), text(child.stderr)])
  return { child, result: result.then(([[code], stdout, stderr]) => ({ code, stdout, stderr })) }
}
const run = (...options: string[]) => start(options).result

const lines = () =>
  readFileSync(record, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe('the command folder', () => {
  it('writes what the model says about each picture', async () => {
    nano.script = undefined
    addPicture('g01.png', 'one.png')
    addPicture('g09.jpg', 'two.JPG')
    const { code, stdout } = await run('--temperature', '0', '--max-tokens', '24')
    expect(code).toBe(0)
    const cases = JSON.parse(readFileSync('test/golden/model.json', 'utf8')) as GoldenCase[]
    const { greedy_text: output } = cases.find(({ id }) => id === 'describe-g01')!
    expect(lines().find(({ file }) => file === 'one.png')).toMatchObject({
      asked: { prompt: 'Describe this image.', temperature: 0, max_tokens: 24 },
      output,
      usage: { completion_tokens: expect.any(Number) as number },
      request_id: expect.any(String) as string,
    })
    expect(stdout).toContain(`one.png: ${output}`)
    expect(lines()).toHaveLength(2)
    const schema = join(folder, 'schema.json')
    const color = { enum: ['red', 'blue'] }
    writeFileSync(schema, JSON.stringify({ properties: { color }, required: ['color'] }))
    expect((await run('--schema', schema, '--limit', '1')).code).toBe(0)
    expect(JSON.parse(String(lines()[2]?.output))).toEqual({
      color: expect.stringMatching(/^(?:red|blue)$/) as string,
    })
  })

  it('asks once about each picture of all subfolders, and says which are refused', async () => {
    mkdirSync(join(folder, 'sub/.hidden'), { recursive: true })
    addPicture('g01.png', 'sub/a.png')
    addPicture('g02.png', 'sub/.hidden/b.png')
    addPicture('g02.png', 'c.png')
    writeFileSync(join(folder, 'broken.png'), readFileSync(join(golden, 'g01.png')).subarray(0, 60))
    writeFileSync(join(folder, 'large.png'), Buffer.alloc(21 * 1024 * 1024))
    writeFileSync(join(folder, 'notes.txt'), 'no picture')
    const first = await run()
    expect(first.code).toBe(1)
    expect(first.stdout).toMatch(/^sub\/a.png: A red circle\.$/m)
    expect(first.stdout).toMatch(/^broken.png: refused, .* \(invalid_image\)$/m)
    expect(first.stdout).toMatch(/^large.png: refused, .*limit is 20971520 \(image_too_large\)$/m)
    expect(first.stderr).toContain('2 of 4 described, 2 refused')
    expect(script.jobs).toHaveLength(2)
    const again = await run()
    expect(again.code).toBe(1)
    expect(again.stderr).toContain('4 pictures, 0 to describe, 2 were refused before')
    expect(script.jobs).toHaveLength(2)
    const { stderr } = await run('--retry-failed')
    expect(stderr).toContain('0 of 2 described, 2 refused')
  })

  it('asks again about a changed file and with another question, not about a copy', async () => {
    addPicture('g01.png', 'a.png')
    expect((await run()).code).toBe(0)
    copyFileSync(join(folder, 'a.png'), join(folder, 'copy.png'))
    expect((await run()).code).toBe(0)
    expect(script.jobs).toHaveLength(1)
    expect(lines()[1]).toMatchObject({
      file: 'copy.png',
      output: 'A red circle.',
      same_as: 'a.png',
    })
    addPicture('g02.png', 'a.png')
    utimesSync(join(folder, 'a.png'), 1_000, 1_000)
    expect((await run()).code).toBe(0)
    expect(script.jobs).toHaveLength(2)
    expect((await run('--prompt', 'What colour?', '--dry-run')).stdout).toBe('a.png\ncopy.png\n')
    expect(script.jobs).toHaveLength(2)
    expect((await run('--prompt', 'What colour?', '--limit', '1')).code).toBe(0)
    expect(script.jobs).toHaveLength(3)
  })

  it('keeps what it has when it is interrupted, and goes on from there', async () => {
    for (const name of ['a', 'b', 'c', 'd'])
      addPicture(`g0${1 + 'abcd'.indexOf(name)}.png`, `${name}.png`)
    script.beforeBatch = () => (script.jobs.length < 3 ? Promise.resolve() : new Promise(() => {}))
    const { child, result } = start(['--concurrency', '1'])
    await until(() => script.running.size === 1 && script.jobs.length === 3)
    child.kill('SIGINT')
    const { code, stderr } = await result
    expect(code).toBe(1)
    expect(stderr).toMatch(/2 of 4 described.*\nStopped. The same command goes on from here.\n$/)
    await until(() => script.running.size === 0)
    expect(lines()).toHaveLength(2)
    script.beforeBatch = async () => {}
    expect((await run('--concurrency', '1')).code).toBe(0)
    expect(lines().map(({ file }) => file)).toEqual(['a.png', 'b.png', 'c.png', 'd.png'])
  })

  it('stops at once when no picture could be answered', async () => {
    addPicture('g01.png', 'a.png')
    const stranger = await start([], { DESCRIBE_API_KEY: 'none-of-ours' }).result
    expect(stranger).toMatchObject({ code: 1 })
    expect(stranger.stderr).toContain('The API key is not valid (invalid_api_key)')
    const lost = await start([], { DESCRIBE_URL: 'http://127.0.0.1:1' }).result
    expect(lost.stderr).toContain('Cannot reach http://127.0.0.1:1: is it running')
    const schema = join(folder, 'schema.json')
    writeFileSync(schema, '{"type":"no such type"}')
    expect((await run('--schema', schema)).stderr).toContain('(invalid_schema)')
    rmSync(record, { force: true })
    expect((await run('--schema', join(folder, 'a.png'))).stderr).toContain('is not JSON')
    expect((await start(['--temperature', '9']).result).stderr).toContain('a number from 0 to 2')
    expect(script.jobs).toHaveLength(0)
  })
})
