import { cardConfig } from '../card-config.ts'
import { openCardBench, type CardBench } from '../open-card-bench.ts'
import { openVision } from '../open-card.ts'
import type { Model } from '../../../../backend/model/model.ts'
import type { CardCheckOptions } from './options.ts'

/** What parts of the check share within a process, opened by the first that needs it. */
export interface CardContext {
  readonly options: CardCheckOptions
  /** Tokens of the prompts whose reading is measured. */
  readonly prompts: readonly number[]
  bench(): Promise<CardBench>
  vision(): Promise<Model>
  close(): Promise<void>
}

export function createCardContext(options: CardCheckOptions): CardContext {
  const prompts = options.isSoftware ? [8] : [256, 1024]
  const config = cardConfig(options)
  let bench: Promise<CardBench> | undefined
  let vision: Promise<Model> | undefined
  return {
    options,
    prompts,
    bench() {
      bench ??= openCardBench({ ...options, config, prompts, contexts: [0] })
      return bench
    },
    vision() {
      vision ??= openVision(config, options.dir)
      return vision
    },
    async close() {
      await (await vision)?.close()
      await (await bench)?.close()
    },
  }
}
