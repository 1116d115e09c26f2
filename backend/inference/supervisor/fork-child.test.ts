import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { forkChild } from './fork-child.ts'

/** Has up to 400,000 objects alive at once, then reports the megabytes of V8's young spaces. */
const program = `
import { getHeapSpaceStatistics } from 'node:v8'
let alive = []
for (let index = 0; index < 3_000_000; index++) {
  alive.push({ index })
  if (alive.length > 400_000) alive = alive.slice(200_000)
}
const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
process.send(space.space_size / 2 ** 20, () => process.disconnect())
`

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fork-'))
})
afterEach(() => rm(folder, { recursive: true }))

it('gives a process young spaces that do not grow', async () => {
  const entry = join(folder, 'program.mjs')
  await writeFile(entry, program)
  const child = forkChild(entry, process.env)
  const [megabytes] = (await once(child, 'message')) as [number]
  expect(megabytes).toBeLessThanOrEqual(2 * 16)
  await once(child, 'exit')
})
