import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { cp, mkdtemp, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runTasks, leastParallelBytes } from './convert/tasks/run-tasks.ts'
import { openModelSource } from './convert/source/model-source.ts'
import { loadModel } from './load-model.ts'

const descriptors = '/proc/self/fd'

let folder: string
let checkpointDir: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'open-files-'))
  checkpointDir = join(folder, 'nano')
  await cp('models/kimi-vl-nano', checkpointDir, { recursive: true })
})
afterEach(() => rm(folder, { recursive: true }))

/** Files of this test's folder that the process has open, its threads included. */
function openFiles(): string[] {
  const targets = readdirSync(descriptors).flatMap((name) => {
    try {
      return [readlinkSync(join(descriptors, name))]
    } catch {
      return [] // closed meanwhile
    }
  })
  return targets.filter((target) => target.startsWith(folder))
}

const load = () => {
  const modelsDir = join(folder, 'models')
  return loadModel({ checkpointDir, modelsDir, weights: 'q8', slots: 1, threads: 1 })
}

/** Hashes the checkpoint's files in threads, each of which opens it. */
async function hashInThreads(): Promise<void> {
  const source = await openModelSource(checkpointDir)
  try {
    const tasks = [...(await source.listFiles())].map(
      ({ name }) => ({ type: 'hash', name }) as const,
    )
    const options = { weights: 'q8', slots: 1 } as const
    const { signal } = new AbortController()
    const run = { options, folder, threads: 2, totalBytes: leastParallelBytes, signal }
    const hashed: string[] = []
    for await (const event of runTasks(source, tasks, run)) hashed.push(event.type)
    expect(hashed).toEqual(tasks.map(() => 'hashed'))
  } finally {
    await source.checkpoint.close()
  }
}

// Other systems do not show which files are open.
describe.runIf(existsSync(descriptors))('files of a model', () => {
  it('are closed when it is loaded, all but the embeddings, and these when it is closed', async () => {
    const model = await load()
    expect(openFiles()).toEqual([expect.stringMatching(/\/embeddings\.weights$/)])
    await model.close()
    expect(openFiles()).toEqual([])
  })

  it('are closed when one of them cannot be used', async () => {
    await truncate(join(checkpointDir, 'model-00002-of-00002.safetensors'), 100)
    await expect(load()).rejects.toThrow('model-00002-of-00002.safetensors')
    expect(openFiles()).toEqual([])
  })

  it('are closed when threads are done with them', async () => {
    await hashInThreads()
    expect(openFiles()).toEqual([])
  })
})
