import type { FeatureSpan, ModelInfo, PatchImage } from '../../model/model.ts'
import type { GenerateJob } from '../job.ts'
import { imageKey } from './image-key.ts'
import { featuresWithin, findImageSpans, type ImageSpan } from './image-spans.ts'

/** An image, and the name of what it shows; see `imageKey`. */
export interface KeyedImage {
  readonly key: string
  readonly image: PatchImage
}

/** The images of one prompt: where they stand, and what is known of them so far. */
export class PromptImages {
  /** One for each image, in order. */
  readonly spans: readonly ImageSpan[]
  readonly #job: GenerateJob
  #keys: readonly string[] = []
  /** By image. */
  #features: (Float32Array | undefined)[] = []

  /** @throws {RangeError} when placeholders and images do not match */
  constructor(job: GenerateJob, info: ModelInfo) {
    this.spans = findImageSpans(job, info)
    this.#job = job
  }

  /** One for each image. Made when first asked for: hashing takes milliseconds per image. */
  get keys(): readonly string[] {
    const { images, tenant } = this.#job
    if (this.#keys.length < images.length) {
      this.#keys = images.map((image) => imageKey(tenant, image))
    }
    return this.#keys
  }

  /** The first image to be looked at yet, when the first `cachedTokens` of the prompt are in the cache. */
  next(cachedTokens: number): KeyedImage | undefined {
    const index = this.#missing(cachedTokens)[0]
    if (index === undefined) return undefined
    return { key: this.keys[index]!, image: this.#job.images[index]! }
  }

  /** Whether an image of this name is to be looked at yet. */
  lacks(key: string, cachedTokens: number): boolean {
    return this.#missing(cachedTokens).some((index) => this.keys[index] === key)
  }

  /** Takes the features of all images of this name. @param features [image tokens, hiddenSize]; shared, not modified */
  add(key: string, features: Float32Array): void {
    this.keys.forEach((name, index) => {
      if (name === key) this.#features[index] = features
    })
  }

  /** Placeholder tokens of an image of this name. */
  tokensOf(key: string): number {
    return this.spans[this.keys.indexOf(key)]?.tokens ?? 0
  }

  /** What replaces placeholders within `count` tokens from `start`; all that are concerned must be known. */
  featuresWithin(start: number, count: number): readonly FeatureSpan[] {
    return featuresWithin(this.spans, this.#features, start, count)
  }

  /** Gives the features up: the prompt is read, or nobody wants it any more. */
  release(): void {
    this.#features = []
  }

  /** Of images whose placeholders are not all in the cache: those without features. */
  #missing(cachedTokens: number): number[] {
    return this.spans.flatMap(({ start, tokens }, index) =>
      start + tokens <= cachedTokens || this.#features[index] !== undefined ? [] : [index],
    )
  }
}
