import { describe, expect, it } from 'vitest'
import { oddConfig } from '../../../test/support/model/write-checkpoint.ts'
import type { StepRow } from '../model.ts'
import { stagedDecoder } from './staged-decoder.ts'
import type { CacheChange, Stage, StageOutput } from './stages/stage.ts'

/** A stage that computes nothing and notes what it hears. */
class NotingStage implements Stage {
  readonly heard: (CacheChange | 'run' | 'commit')[] = []
  failure: { readonly at: 'run' | 'commit'; readonly error: Error } | undefined

  change(change: CacheChange): void {
    this.heard.push(change)
  }

  async run(): Promise<StageOutput> {
    this.#note('run')
    return { next: [{ candidates: undefined, row: () => Promise.resolve(new Float32Array(1)) }] }
  }

  commit(): void {
    this.#note('commit')
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #note(call: 'run' | 'commit'): void {
    if (this.failure?.at === call) throw this.failure.error
    this.heard.push(call)
  }
}

async function createDecoder() {
  const { text_config: config } = await oddConfig()
  const stages = [new NotingStage(), new NotingStage()]
  stages[0]!.run = () =>
    Promise.resolve({ stream: new Float32Array(0), branch: new Float32Array(0) })
  const setup = { config, embeddings: { lookUp() {} }, lanes: 2, slots: 2 }
  const info = { cacheBytesPerToken: 1, slotGrowthTokens: 1, cacheTokens: undefined }
  return { decoder: stagedDecoder(stages, setup, info), stages }
}

describe('a decoder of several stages', () => {
  it.each(['run', 'commit'] as const)(
    'has no stage keep the tokens of a step that failed at the last stage’s %s',
    async (at) => {
      const { decoder, stages } = await createDecoder()
      const row = (tokens: number): StepRow => ({
        slot,
        tokenIds: new Int32Array(tokens),
        features: [],
        sample: true,
      })
      const slot = decoder.openSlot()
      await decoder.step([row(3)])
      stages[1]!.failure = { at, error: new Error('it failed') }
      await expect(decoder.step([row(2)])).rejects.toThrow('it failed')
      expect(decoder.slotLength(slot)).toBe(3)
      for (const { heard } of stages) {
        expect(heard.at(-1)).toEqual({ type: 'truncate', slot, tokens: 3 })
      }
    },
  )
})
