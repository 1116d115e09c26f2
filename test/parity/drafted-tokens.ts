import assert from 'node:assert/strict'
import type { Model, SlotId } from '../../backend/model/model.ts'
import { allLogits } from '../support/model/all-logits.ts'
import type { GoldenCase } from './golden-cases.ts'

/**
 * Tokens run as a draft have the logits that they have one by one, beside a row without any; and what is cut off afterwards
 * leaves no trace.
 * @param tolerance largest difference of a logit
 */
export async function verifiesDrafts(
  model: Model,
  golden: GoldenCase,
  tolerance: number,
): Promise<void> {
  const prompt = Int32Array.from(golden.prompt_ids)
  const answer = golden.greedy_ids.slice(0, 6)
  const [known, ...draft] = answer
  const features: [] = []
  const open = async (): Promise<SlotId> => {
    const slot = model.openSlot()
    await model.step([{ slot, tokenIds: prompt, features, sample: false }])
    return slot
  }

  const alone = await open()
  const single: Float32Array[] = []
  for (const id of answer) {
    const row = { slot: alone, tokenIds: Int32Array.of(id), features, sample: true }
    single.push(...(await allLogits(model.step([row]))))
  }
  const [slot, other] = [await open(), await open()]
  const plain = { slot: other, tokenIds: Int32Array.of(known!), features, sample: true }
  const drafted = { slot, tokenIds: Int32Array.from(answer), features, sample: true }
  const rows = [plain, { ...drafted, drafted: draft.length }, { ...drafted, slot: alone }]
  const together = await allLogits(model.step(rows))
  assert.equal(together.length, 2 + answer.length)
  ;[single[0]!, ...single].forEach((logits, i) => expectNear(together[i]!, logits, tolerance))

  model.truncateSlot(slot, prompt.length + 2)
  const again = { slot, tokenIds: Int32Array.from(answer.slice(2)), features, sample: true }
  const [last] = await allLogits(model.step([again]))
  expectNear(last!, single.at(-1)!, tolerance)
  for (const one of [alone, slot, other]) model.closeSlot(one)
}

function expectNear(logits: Float32Array, expected: Float32Array, tolerance: number): void {
  const worst = logits.reduce((max, v, id) => Math.max(max, Math.abs(v - expected[id]!)), 0)
  assert.ok(worst < tolerance, `a logit is ${worst} off`)
}
