import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { hugeWebp } from '../../../test/support/images/huge-images.ts'
import type { ProcessorTasks } from './processor-tasks.ts'
import { createTaskPool } from './task-pool.ts'

const small = () => new Uint8Array(readFileSync('test/golden/images/g01.png'))
/** Small enough for three of them to be decoded at a time. */
const mediumWebp = () => hugeWebp(10_000, 5_000)
const never = new AbortController().signal

let tasks: ProcessorTasks
beforeEach(() => {
  tasks = createTaskPool({
    textWorker: fileURLToPath(new URL('./text-worker.ts', import.meta.url)),
    imageProcess: fileURLToPath(new URL('../image-process/image-process.ts', import.meta.url)),
    modelFolder: 'models/kimi-vl-nano',
    threads: 1,
    decodeMemoryBytes: 2 ** 31,
    tenantWeights: new Map(),
  })
})
afterEach(() => tasks.close())

/** Begins requests with pictures that take long. @returns what has ended, and a way to leave */
function begin(requests: readonly { tenant: string; files: readonly Uint8Array[] }[]) {
  const abort = new AbortController()
  const ended: unknown[] = []
  const all = requests.flatMap(({ tenant, files }) => {
    const caller = { tenant, signal: abort.signal }
    return files.map((file) =>
      tasks.prepareImage(file, caller).then(
        (outcome) => ended.push(outcome),
        () => {},
      ),
    )
  })
  const leave = async () => {
    abort.abort()
    await Promise.all(all)
  }
  return { ended, leave }
}

it.each([
  ['another', [{ tenant: 'hostile', files: [hugeWebp(), hugeWebp()] }]],
  ['three others', ['a', 'b', 'c'].map((tenant) => ({ tenant, files: [mediumWebp()] }))],
])(
  "decodes a tenant's picture while those of %s take long",
  async (_whose, requests) => {
    const { ended, leave } = begin(requests)
    const other = { tenant: 'other', signal: never }
    expect(await tasks.prepareImage(small(), other)).toMatchObject({ ok: true })
    expect(ended).toEqual([])
    await leave()
  },
  60_000,
)

it('lets the requests of a tenant take turns, picture by picture', async () => {
  const files = Array.from({ length: 16 }, mediumWebp)
  const { ended, leave } = begin([{ tenant: 'one', files }])
  const second = { tenant: 'one', signal: never }
  expect(await tasks.prepareImage(small(), second)).toMatchObject({ ok: true })
  // One was running, and the next had its turn before the second request came.
  expect(ended.length).toBeLessThanOrEqual(2)
  await leave()
}, 60_000)

it('takes the place of a picture whose caller left, however long it would take', async () => {
  const abort = new AbortController()
  const caller = { tenant: 'one', signal: abort.signal }
  const leaving = Promise.allSettled(
    Array.from({ length: 20 }, () => tasks.prepareImage(hugeWebp(), caller)),
  )
  const next = tasks.prepareImage(small(), { tenant: 'one', signal: never })
  abort.abort(new Error('left'))
  expect(await leaving).toEqual(
    Array.from({ length: 20 }, () => ({ status: 'rejected', reason: new Error('left') })),
  )
  expect(await next).toMatchObject({ ok: true })
}, 60_000)

it('moves the ids of all texts between threads as one memory: a conversation may have thousands', async () => {
  const texts = ['a', '', 'bc', 'a']
  const ids = await tasks.encodeTexts(texts, { tenant: '', signal: never })
  // In the nano vocabulary the id of a single byte is the byte.
  expect(ids.map((each) => Buffer.from(each).toString())).toEqual(texts)
  expect(new Set(ids.map(({ buffer }) => buffer)).size).toBe(1)
})
