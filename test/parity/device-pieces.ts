import assert from 'node:assert/strict'
import type { Model } from '../../backend/model/model.ts'
import { allLogits } from '../support/model/all-logits.ts'
import { largestDifference } from './differences.ts'

/** A long piece of a prompt, which is one row of a run of its own, and short ones, whose tokens are rows. */
export async function readsLongPieces(model: Model): Promise<void> {
  const prompt = Int32Array.from({ length: 140 }, (_, i) => (i * 7919) % 1000)
  const short = await logitsAfter(model, prompt, 60)
  const difference = largestDifference(await logitsAfter(model, prompt, 140), short)
  assert.ok(difference < 1e-3, `${difference}`)
}

async function logitsAfter(model: Model, prompt: Int32Array, piece: number): Promise<Float32Array> {
  const slot = model.openSlot()
  let logits: Float32Array[] = []
  for (let from = 0; from < prompt.length; from += piece) {
    const tokenIds = prompt.subarray(from, from + piece)
    logits = await allLogits(model.step([{ slot, tokenIds, features: [], sample: true }]))
  }
  model.closeSlot(slot)
  return logits[0]!
}
