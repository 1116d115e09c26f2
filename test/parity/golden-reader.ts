import type { FeatureSpan, Model, SlotId, StepRow } from '../../backend/model/model.ts'
import { allLogits } from '../support/model/all-logits.ts'
import { argmax, spansWithin, stopIds, type GoldenCase } from './golden-cases.ts'

/** One golden prompt that is read and answered, `chunk` tokens at a time. */
export class Reader {
  readonly ids: number[] = []
  readonly #model: Model
  readonly #golden: GoldenCase
  readonly #spans: FeatureSpan[]
  readonly #chunk: number
  readonly #slot: SlotId
  #read = 0
  ended = false

  constructor(model: Model, golden: GoldenCase, spans: FeatureSpan[], chunk: number) {
    this.#model = model
    this.#golden = golden
    this.#spans = spans
    this.#chunk = chunk
    this.#slot = model.openSlot()
  }

  next(): StepRow {
    const slot = this.#slot
    const prompt = this.#golden.prompt_ids
    if (this.#read === prompt.length) {
      return { slot, tokenIds: Int32Array.of(this.ids.at(-1)!), features: [], sample: true }
    }
    const start = this.#read
    this.#read = Math.min(start + this.#chunk, prompt.length)
    return {
      slot,
      tokenIds: Int32Array.from(prompt.slice(start, this.#read)),
      features: spansWithin(this.#spans, this.#model.info.hiddenSize, start, this.#read),
      sample: this.#read === prompt.length,
    }
  }

  take(logits: Float32Array): void {
    const id = argmax(logits)
    if (!stopIds.includes(id)) this.ids.push(id)
    this.ended = stopIds.includes(id) || this.ids.length === this.#golden.greedy_ids.length
    if (this.ended) this.#model.closeSlot(this.#slot)
  }
}

/** Runs all of them to their ends, in steps that they share. */
export async function runTogether(model: Model, readers: readonly Reader[]): Promise<void> {
  for (let active = readers; active.length > 0; active = active.filter(({ ended }) => !ended)) {
    const rows = active.map((reader) => reader.next())
    const logits = await allLogits(model.step(rows))
    const sampling = active.filter((_, index) => rows[index]!.sample)
    sampling.forEach((reader, index) => reader.take(logits[index]!))
  }
}
