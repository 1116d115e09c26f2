import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createKeeper, sectionOf } from './keep-results.ts'

const row = { name: 'decode, 1 at once', value: '100 tok/s', ratio: '', data: { bestMs: 10 } }
const results = [
  { name: 'golden', seconds: 1, rows: [row], missing: { problem: undefined, leftOut: [] } },
  { name: 'load', seconds: 2, rows: [], missing: { problem: 'lost', leftOut: ['b', 'c'] } },
]

it('says what was measured and what is missing', () => {
  expect(sectionOf('a card', results)).toMatch(
    /^a card\n\n\| measurement .*\n.*\n\| decode, 1 at once .*\|\n\n- \*\*load\*\*: lost; no time was left for: b, c$/,
  )
  expect(sectionOf('a card', results, 'Right.\nDone: golden.')).toMatch(
    /\n\nRight.\nDone: golden.$/,
  )
})

it('writes what is known at any time', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'card-'))
  const options = { layers: 2, visionLayers: 2, slots: 4, dir: join(dir, 'new'), doc: false }
  const keeper = createKeeper(
    {
      ...options,
      narrow: true,
      requests: 1,
      shareLayers: false,
      isSoftware: true,
      minutes: 8,
      only: undefined,
    },
    'a card',
  )
  keeper.keep(results.slice(0, 1))
  const numbers = async () =>
    JSON.parse(await readFile(join(options.dir, 'card.json'), 'utf8')) as { results: unknown }
  expect((await numbers()).results).toEqual(JSON.parse(JSON.stringify(results.slice(0, 1))))
  expect(await keeper.finish(results, 'All is right.')).toMatch(/load[^]*All is right\.$/)
  expect((await numbers()).results).toHaveLength(2)
  expect((await readdir(options.dir)).toSorted()).toEqual(['card.json', 'card.md'])
  await rm(dir, { recursive: true })
})
