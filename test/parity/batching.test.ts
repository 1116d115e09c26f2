import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model, SlotId, StepRow } from '../../backend/model/model.ts'
import { allLogits } from '../support/model/all-logits.ts'
import { featureSpans, nano, readGoldenCases, type GoldenCase } from './golden-cases.ts'
import { Reader, runTogether } from './golden-reader.ts'
import { verifiesDrafts } from './drafted-tokens.ts'

const slots = 4
const cases = await readGoldenCases()
const find = (id: string) => cases.find((golden) => golden.id === id)!

/** Whether chunks of two or more tokens attend with keys and values expanded, or never do. */
describe.each([
  ['f32', Infinity],
  ['f32', 2],
  ['q8', Infinity],
  ['q8', 2],
] as const)('%s decoder, expanded from %d tokens', (weights, expandedFromTokens) => {
  let model: Model
  let modelsDir: string
  beforeAll(async () => {
    modelsDir = await mkdtemp(join(tmpdir(), 'batching-'))
    const options = { checkpointDir: nano, modelsDir, weights, slots, threads: 2 }
    model = await loadModel({ ...options, expandedFromTokens })
  })
  afterAll(async () => {
    await model.close()
    await rm(modelsDir, { recursive: true })
  })

  const read = async (id: string, chunk: number) =>
    new Reader(model, find(id), await featureSpans(model, find(id)), chunk)

  it.each([1, 2, 7, 16])('reads prompts in chunks of %i as in one piece', async (chunk) => {
    for (const id of ['describe-g03', 'two-images', 'multi-turn', 'text-story']) {
      const reader = await read(id, chunk)
      await runTogether(model, [reader])
      expect(reader.ids, id).toEqual(find(id).greedy_ids)
    }
  })

  it('answers four prompts of different lengths at once as each alone', async () => {
    const ids = ['json', 'text-hello', 'two-images', 'text-count-60']
    const readers = await Promise.all(ids.map((id, index) => read(id, [64, 5, 1, 9][index]!)))
    await runTogether(model, readers)
    readers.forEach((reader, index) => {
      expect(reader.ids, ids[index]).toEqual(find(ids[index]!).greedy_ids)
    })
  })

  it('lets sequences join and leave between steps', async () => {
    const waiting = cases.filter(({ finish_reason }) => finish_reason === 'stop').slice(0, 24)
    const running: { golden: GoldenCase; reader: Reader }[] = []
    for (let step = 0; waiting.length + running.length > 0; step++) {
      if (running.length < slots && step % 3 === 0) {
        const golden = waiting.shift()
        if (golden !== undefined) running.push({ golden, reader: await read(golden.id, 11) })
      }
      const rows = running.map(({ reader }) => reader.next())
      const logits = rows.length === 0 ? [] : await allLogits(model.step(rows))
      const sampling = running.filter((_, index) => rows[index]!.sample)
      sampling.forEach(({ reader }, index) => reader.take(logits[index]!))
      for (const { golden, reader } of running.filter((entry) => entry.reader.ended)) {
        expect(reader.ids, golden.id).toEqual(golden.greedy_ids)
      }
      running.splice(0, running.length, ...running.filter(({ reader }) => !reader.ended))
    }
  })

  it('gives the logits before each token of a draft', async () => {
    const tolerance = weights === 'f32' ? 1e-4 : 0.5
    await expect(verifiesDrafts(model, find('text-story'), tolerance)).resolves.toBeUndefined()
  })

  it('gives logits that do not depend on company or chunks', async () => {
    const tolerance = weights === 'f32' ? 1e-4 : 0.5
    const prompt = Int32Array.from(find('text-count').prompt_ids)
    const last = async (rows: (slot: SlotId) => StepRow[][]) => {
      const slot = model.openSlot()
      let logits: Float32Array | undefined
      for (const step of rows(slot)) logits = (await allLogits(model.step(step)))[0]
      model.closeSlot(slot)
      return logits!
    }
    const row = (slot: SlotId, tokenIds: Int32Array, sample: boolean) => ({
      slot,
      tokenIds,
      features: [],
      sample,
    })
    const whole = await last((slot) => [[row(slot, prompt, true)]])
    const single = await last((slot) =>
      [...prompt].map((id, i) => [row(slot, Int32Array.of(id), i === prompt.length - 1)]),
    )
    const other = model.openSlot()
    const accompanied = await last((slot) => [
      [row(slot, prompt, true), row(other, prompt.subarray(0, 9), false)],
    ])
    model.closeSlot(other)
    for (const logits of [single, accompanied]) {
      const worst = logits.reduce((max, v, id) => Math.max(max, Math.abs(v - whole[id]!)), 0)
      expect(worst).toBeLessThan(tolerance)
    }
  })
})
