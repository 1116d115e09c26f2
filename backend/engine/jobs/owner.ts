import type { FinishReason } from '../../../shared/api/events.ts'
import type { ImageFeatures } from '../../model/model.ts'
import type { PromptImages } from '../images/prompt-images.ts'
import type { GenerateJob } from '../job.ts'
import type { Sampled } from '../sampling/sampler.ts'

/** What one choice of a job needs from it. */
export interface Owner<Choice> {
  readonly asked: Pick<
    GenerateJob,
    'tenant' | 'priority' | 'promptIds' | 'stopIds' | 'controlIdsFrom' | 'format'
  >
  /** The most tokens of each answer; at least 1. */
  readonly tokenLimit: number
  readonly images: PromptImages
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** A choice that waits for a slot with the prompt's rows. */
  readonly waitingChoice: Choice | undefined
  /** The choice that takes over the slot of one that ended. */
  readonly heir: Choice | undefined
  /** Whether the first token is still to be sampled for other choices than the first, from the same logits. */
  readonly hasChoicesToBegin: boolean
  /** Samples the first token of every choice but the first. @param logits after the prompt; not modified */
  beginOtherChoices(logits: Float32Array): void
  /** Stores the features of all images with this key, for all choices that wait for them. */
  addFeatures(key: string, features: ImageFeatures): void
  /** Called when a choice has read all its tokens. */
  releaseImages(): void
  addToken(choice: number, sampled: Sampled): void
  /** Tokens that a choice may still have; 0 or less when it has all. */
  tokensLeft(choice: number): number
  /** Called when a choice has ended with an answer. */
  finishChoice(choice: number, finishReason: FinishReason): void
  /** Ends all choices with an error. */
  fail(error: Error): void
}
