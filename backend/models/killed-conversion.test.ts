import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { randomValues } from '../../test/support/model/write-checkpoint.ts'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'killed-'))
})
afterAll(() => rm(root, { recursive: true }))

/** Converts nano with this program. */
function convert(stateDir: string): ChildProcess {
  const given = ['backend/models/main.ts', 'convert', 'models/kimi-vl-nano']
  const env = {
    ...process.env,
    STATE_DIR: join(root, stateDir),
    NODE_COMPILE_CACHE: join(root, 'cache'),
  }
  return spawn(process.execPath, given, { env, stdio: 'ignore' })
}

const folderOf = (stateDir: string) => join(root, stateDir, 'models', 'kimi-vl-nano-onnx-q8')

async function bytesOf(stateDir: string): Promise<Map<string, string>> {
  const folder = folderOf(stateDir)
  const names = (await readdir(folder)).toSorted()
  const contents = await Promise.all(names.map((name) => readFile(join(folder, name), 'latin1')))
  return new Map(names.map((name, i) => [name, contents[i]!]))
}

/** What the journal of a conversion that is not complete says is done. */
function linesDone(stateDir: string): number {
  const file = join(`${folderOf(stateDir)}.partial`, 'conversion.jsonl')
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length : 0
}

it(
  'makes the same bytes when it is killed at ten places, going on each time',
  { timeout: 300_000 },
  async () => {
    await once(convert('whole'), 'exit')
    const expected = await bytesOf('whole')
    const places = [...randomValues(10, 7)].map((value) => Math.ceil(8 * (value + 1)))
    for (const place of places) {
      const before = linesDone('killed')
      const child = convert('killed')
      const exited = once(child, 'exit')
      while (linesDone('killed') < before + place && child.exitCode === null) await wait(1)
      child.kill('SIGKILL')
      await exited
      // A fast machine may complete it before the signal arrives.
      const isComplete = existsSync(folderOf('killed'))
      expect(isComplete || linesDone('killed') >= before).toBe(true)
      if (isComplete) await rm(folderOf('killed'), { recursive: true })
    }
    expect(await once(convert('killed'), 'exit')).toEqual([0, null])
    expect(await bytesOf('killed')).toEqual(expected)
    expect(await readdir(join(root, 'killed', 'models'))).toEqual(['kimi-vl-nano-onnx-q8'])
  },
)
