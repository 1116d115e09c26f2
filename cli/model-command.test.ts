import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tryLock } from '../shared/node/files/file-lock.ts'
import { TestHub } from '../test/support/model/test-hub.ts'

let root: string
let hub: TestHub
const nano = 'models/kimi-vl-nano'
const name = 'moonshotai/Kimi-VL-Nano'
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'model-command-'))
  hub = await TestHub.start()
  const files = new Map<string, Uint8Array>()
  for (const file of await readdir(nano)) files.set(file, await readFile(join(nano, file)))
  hub.models.set(name, { commit: 'd'.repeat(40), files })
})
afterAll(async () => {
  await hub.close()
  await rm(root, { recursive: true })
})

function start(stateDir: string, ...given: string[]) {
  const environment = {
    ...process.env,
    STATE_DIR: join(root, stateDir),
    HF_ENDPOINT: hub.endpoint,
    HF_HOME: join(root, 'home'),
  }
  const child = spawn(process.execPath, ['cli/describe.ts', 'model', ...given], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const output = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (data: string) => (output[stream] += data))
  }
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return { child, output, ended }
}

async function run(stateDir: string, ...given: string[]) {
  const { output, ended } = start(stateDir, ...given)
  const code = await ended
  return { code, ...output }
}

/** Zeros in place of a tensor's first 100 bytes. */
async function clearRow(folder: string, tensor: string): Promise<void> {
  const index = await readFile(join(folder, 'model.safetensors.index.json'), 'utf8')
  const { weight_map } = JSON.parse(index) as { weight_map: Record<string, string> }
  const shard = join(folder, weight_map[tensor]!)
  const bytes = await readFile(shard)
  const headerBytes = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { data_offsets: [number, number] }
  >
  const from = 8 + headerBytes + header[tensor]!.data_offsets[0]
  await writeFile(shard, bytes.fill(0, from, from + 100))
}

const folderOf = (stateDir: string) =>
  join(root, stateDir, 'checkpoints', 'moonshotai--Kimi-VL-Nano')

describe('model', () => {
  it('pulls, lists, converts, verifies and removes', { timeout: 120_000 }, async () => {
    const pulled = await run('all', 'pull', name)
    expect(pulled).toMatchObject({ code: 0, stderr: '' })
    expect(pulled.stdout).toMatch(/^downloading .*\n(.*\n)*Set MODEL_PATH=moonshotai\/Kimi-VL-Nano/)

    const before = await run('all', 'verify', name)
    expect(before).toMatchObject({ code: 0, stderr: '' })
    expect(before.stdout).toContain('not converted yet')

    const converted = await run('all', 'convert', name)
    expect(converted).toMatchObject({ code: 0, stderr: '' })
    expect(converted.stdout).toMatch(/ready: .*moonshotai--Kimi-VL-Nano-onnx-q8\n$/)

    const verified = await run('all', 'verify', name)
    expect(verified).toMatchObject({ code: 0, stderr: '' })
    expect(verified.stdout).toContain('every file has the hash that the hub states')
    expect(verified.stdout).toContain('all tensors are there')
    expect(verified.stdout).toMatch(/\[PAD\] 1278, \[UNK\] 1279/)
    expect(verified.stdout).toContain('outliers: no channel is out of balance')
    expect(verified.stdout).toContain('every byte is as it was written')
    const steps = /(\d+) rows of (\d+) weights compared .* at most (0\.\d+) steps/.exec(
      verified.stdout,
    )
    expect(Number(steps?.[1])).toBeGreaterThan(100)
    expect(Number(steps?.[3])).toBeGreaterThan(0.4)
    expect(Number(steps?.[3])).toBeLessThan(0.501)

    const checked = await run('all', 'check', name, '--against', 'test/golden/model.json')
    expect(checked).toMatchObject({ code: 0, stderr: '' })
    expect(checked.stdout).toMatch(/(\d+) of \1 likeliest tokens the same in 42 answers/)

    const listed = await run('all', 'list')
    expect(listed.stdout).toMatch(/ {2}moonshotai--Kimi-VL-Nano {2}[\d.]+ MB, .* at commit d{40}\n/)
    expect(listed.stdout).toMatch(/ {2}moonshotai--Kimi-VL-Nano-onnx-q8 {2}[\d.]+ MB, q8\n/)

    const removed = await run('all', 'remove', name)
    expect(removed.stdout.trim().split('\n')).toHaveLength(2)
    expect(existsSync(folderOf('all'))).toBe(false)
    expect(await readdir(join(root, 'all', 'models'))).toEqual([])
    expect(await run('all', 'remove', name)).toMatchObject({ code: 1, stdout: '' })
  })

  it(
    'finds a byte that changed in a download, and in converted weights',
    { timeout: 120_000 },
    async () => {
      await run('damaged', 'pull', name)
      await run('damaged', 'convert', name)
      const weights = join(root, 'damaged', 'models', 'moonshotai--Kimi-VL-Nano-onnx-q8')
      const decoder = join(weights, 'decoder.weights')
      const template = join(folderOf('damaged'), 'chat_template.jinja')
      for (const file of [decoder, template]) {
        const bytes = await readFile(file)
        // Zeros may lie between tensors, where nothing reads them.
        bytes[bytes.findLastIndex((byte) => byte !== 0)]! ^= 1
        await writeFile(file, bytes)
      }
      const { code, stderr } = await run('damaged', 'verify', name)
      expect(code).toBe(1)
      expect(stderr).toContain(`${template} is not what the hub has: pull it again\n`)
      expect(stderr).toMatch(/decoder\.weights is damaged between byte \d+ and \d+;/)
    },
  )

  it('finds weights that are not those of the checkpoint', { timeout: 120_000 }, async () => {
    const folder = join(root, 'swapped-model')
    await cp(nano, folder, { recursive: true })
    await run('swapped', 'convert', folder)
    const manifest = join(root, 'swapped/models/swapped-model-onnx-q8/manifest.json')
    // A conversion of other weights, whose manifest claims these sources.
    const other = join(root, 'other-model')
    await cp(nano, other, { recursive: true })
    await clearRow(other, 'language_model.lm_head.weight')
    await run('swapped', 'convert', other)
    const otherManifest = join(root, 'swapped/models/other-model-onnx-q8/manifest.json')
    const [own, foreign] = (
      await Promise.all([manifest, otherManifest].map((file) => readFile(file, 'utf8')))
    ).map((text) => JSON.parse(text) as { sources: unknown })
    await rm(dirname(manifest), { recursive: true })
    await cp(dirname(otherManifest), dirname(manifest), { recursive: true })
    await writeFile(manifest, JSON.stringify({ ...foreign, sources: own!.sources }))
    const { code, stderr } = await run('swapped', 'verify', folder)
    expect(stderr).toMatch(/language_model.lm_head.weight is not what the checkpoint holds\n$/)
    expect(code).toBe(1)
  })

  it('goes on after being killed at ten places', { timeout: 180_000 }, async () => {
    hub.pauseMs = 3
    for (let place = 0; place < 10; place++) {
      const { child, ended } = start('killed', 'pull', name)
      const partial = `${folderOf('killed')}.partial`
      while (!existsSync(partial) && child.exitCode === null) await wait(5)
      await wait(place * 25)
      // The whole group: the command line and the program it runs.
      process.kill(-child.pid!, 'SIGKILL')
      await ended
      if (existsSync(folderOf('killed'))) await rm(folderOf('killed'), { recursive: true })
    }
    hub.pauseMs = 0
    expect(await run('killed', 'pull', name)).toMatchObject({ code: 0, stderr: '' })
    for (const file of ['tiktoken.model', 'model-00001-of-00002.safetensors']) {
      const downloaded = await readFile(join(folderOf('killed'), file))
      expect(downloaded.equals(await readFile(join(nano, file)))).toBe(true)
    }
  })

  it('keeps what has come when it is interrupted', { timeout: 60_000 }, async () => {
    hub.pauseMs = 20
    const { child, ended } = start('interrupted', 'pull', name)
    const partial = `${folderOf('interrupted')}.partial`
    const hasBegun = () =>
      existsSync(partial) &&
      readdirSync(partial).some(
        (file) =>
          file.endsWith('.partial') &&
          statSync(join(partial, file), { throwIfNoEntry: false })?.size !== 0,
      )
    while (!hasBegun() && child.exitCode === null) await wait(10)
    process.kill(-child.pid!, 'SIGINT')
    expect(await ended).toBe(130)
    hub.pauseMs = 0
    expect(existsSync(join(partial, 'download.json'))).toBe(true)
    const again = await run('interrupted', 'pull', name)
    expect(again.stdout).toMatch(/, [\d.]+ \w+ of it already here\n/)
  })

  it('says what is wrong in one line', { timeout: 120_000 }, async () => {
    expect(await run('errors', 'pull', 'moonshotai/None')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^moonshotai\/None@main: .* answers 401 .*\n$/) as string,
    })
    expect(await run('errors', 'pull', 'one')).toMatchObject({
      code: 1,
      stderr: 'one is not the name of a model on the hub: expected owner/name\n',
    })
    expect(await run('errors', 'verify', '/nowhere')).toMatchObject({
      code: 1,
      stderr: 'there is no folder /nowhere\n',
    })
    expect(await run('errors', 'verify', 'moonshotai/None')).toMatchObject({
      code: 1,
      stderr:
        'moonshotai/None is not on this machine; to download it: describe model pull moonshotai/None\n',
    })
    const help = await run('errors', '--help')
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toContain('Usage: describe model')
  })

  it('converts once for all who ask at the same time', { timeout: 120_000 }, async () => {
    const models = join(root, 'together', 'models')
    await mkdir(models, { recursive: true })
    const lock = tryLock(join(models, 'kimi-vl-nano-onnx-q8.lock'))
    const both = [start('together', 'convert', nano), start('together', 'convert', nano)]
    const waiting = `waiting for another process that converts into ${models}/kimi-vl-nano-onnx-q8\n`
    await expect
      .poll(() => both.filter(({ output }) => output.stdout === waiting).length, {
        timeout: 60_000,
      })
      .toBe(2)
    // Applies to both of them, and to this process as a third one.
    expect(await readdir(models)).toEqual(['kimi-vl-nano-onnx-q8.lock'])
    lock!.release()
    expect(await Promise.all(both.map(({ ended }) => ended))).toEqual([0, 0])
    const texts = both.map(({ output }) => output.stdout)
    expect(texts.filter((text) => text.includes('converting weights: done'))).toHaveLength(1)
    expect(texts.filter((text) => text.includes('ready: '))).toHaveLength(2)
    expect(await readdir(models)).toEqual(['kimi-vl-nano-onnx-q8'])
  })

  it('goes on when the process it waits for dies', { timeout: 120_000 }, async () => {
    const models = join(root, 'orphaned', 'models')
    await mkdir(models, { recursive: true })
    const script = `import { tryLock } from './shared/node/files/file-lock.ts'
      globalThis.held = tryLock(process.argv[1]); console.log('held'); setInterval(() => held, 1000)`
    const file = join(models, 'kimi-vl-nano-onnx-q8.lock')
    const holder = spawn(process.execPath, ['--input-type=module', '-e', script, file])
    await once(holder.stdout, 'data')
    const { output, ended } = start('orphaned', 'convert', nano)
    await expect.poll(() => output.stdout, { timeout: 60_000 }).toContain('waiting for another')
    holder.kill('SIGKILL')
    expect(await ended).toBe(0)
    expect(output.stdout).toContain('converting weights: done')
    expect(await readdir(models)).toEqual(['kimi-vl-nano-onnx-q8'])
  })
})
