import assert from 'node:assert/strict'
import type { Model, SlotId } from '../../backend/model/model.ts'
import { allLogits } from '../support/model/all-logits.ts'
import { largestDifference } from './differences.ts'
import { readGoldenCases } from './golden-cases.ts'

/**
 * Tokens of the other rows of a step: kernels differ by how many rows there are, and a long piece of a prompt is a run of its
 * own.
 */
const companies = [[1], [1, 1, 1], [7], [30, 1], [63], [70], [200, 1]]

/** Largest difference of a logit: activations are not rounded, so only sums are in another order. */
export const companyTolerance = 0.01

/** A token's logits are the same whatever else is in its step. */
export async function inAnyCompany(model: Model): Promise<void> {
  const { prompt_ids: prompt } = (await readGoldenCases()).find(({ id }) => id === 'text-story')!
  const slot = model.openSlot()
  const row = (of: SlotId, ids: readonly number[]) => {
    return { slot: of, tokenIds: Int32Array.from(ids), features: [], sample: true }
  }
  await model.step([row(slot, prompt.slice(0, -1))])
  const last = row(slot, prompt.slice(-1))
  const [alone] = await allLogits(model.step([last]))
  for (const company of companies) {
    model.truncateSlot(slot, prompt.length - 1)
    const others = company.map((tokens, i) => {
      return row(
        model.openSlot(),
        Array.from({ length: tokens }, (_, j) => (31 * i + 7 * j) % 1000),
      )
    })
    const [together] = await allLogits(model.step([last, ...others]))
    for (const other of others) model.closeSlot(other.slot)
    const difference = largestDifference(together!, alone!)
    assert.ok(difference < companyTolerance, `beside ${company.join(' and ')}: ${difference} off`)
  }
  model.closeSlot(slot)
}
