import { cardConfig } from '../card-config.ts'
import { openCardBench, type CardBench } from '../open-card-bench.ts'
import { openVision } from '../open-card.ts'
import type { Model } from '../../../../backend/model/model.ts'
import { longestPrompt } from './affordable-tokens.ts'
import type { CardCheckOptions } from './options.ts'

/** What parts of the check share within a process, opened by the first one that needs it. */
export interface CardContext {
  readonly options: CardCheckOptions
  bench(): Promise<CardBench>
  vision(): Promise<Model>
  close(): Promise<void>
}

export function createCardContext(options: CardCheckOptions): CardContext {
  const config = cardConfig(options)
  let bench: Promise<CardBench> | undefined
  let vision: Promise<Model> | undefined
  return {
    options,
    bench() {
      bench ??= openCardBench({ ...options, config, prompts: [longestPrompt], contexts: [0] })
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
