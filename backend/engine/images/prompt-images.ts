import type { FeatureSpan, ImageFeatures, ModelInfo, PatchImage } from '../../model/model.ts'
import type { GenerateJob } from '../job.ts'
import { imageKey } from './image-key.ts'
import { featuresWithin, findImageSpans, type ImageSpan } from './image-spans.ts'

/** An image and the key of its content; see `imageKey`. */
export interface KeyedImage {
  readonly key: string
  readonly image: PatchImage
}

/** The images of one prompt: their positions, and the features known so far. */
export class PromptImages {
  /** One per image, in order. */
  readonly spans: readonly ImageSpan[]
  readonly #job: GenerateJob
  #keys: readonly string[] = []
  /** Indexed by image. */
  #features: (ImageFeatures | undefined)[] = []

  /** @throws {RangeError} when placeholders and images do not match */
  constructor(job: GenerateJob, info: ModelInfo) {
    this.spans = findImageSpans(job, info)
    this.#job = job
  }

  /** One per image. Computed on first use, because hashing takes milliseconds per image. */
  get keys(): readonly string[] {
    const { images, tenant } = this.#job
    if (this.#keys.length < images.length) {
      this.#keys = images.map((image) => imageKey(tenant, image))
    }
    return this.#keys
  }

  /** The first image still to be processed, given that the first `cachedTokens` of the prompt are in the cache. */
  next(cachedTokens: number): KeyedImage | undefined {
    const index = this.#missing(cachedTokens)[0]
    if (index === undefined) return undefined
    return { key: this.keys[index]!, image: this.#job.images[index]! }
  }

  /** Whether the image with this key still has to be processed. */
  lacks(key: string, cachedTokens: number): boolean {
    return this.#missing(cachedTokens).some((index) => this.keys[index] === key)
  }

  /**
   * Stores the features of all images with this key. @param features [image tokens, hiddenSize]; shared, not modified
   */
  add(key: string, features: ImageFeatures): void {
    this.keys.forEach((name, index) => {
      if (name === key) this.#features[index] = features
    })
  }

  /** Number of placeholder tokens of the image with this key. */
  tokensOf(key: string): number {
    return this.spans[this.keys.indexOf(key)]?.tokens ?? 0
  }

  /** The replacements of placeholders within `count` tokens from `start`; the features of all of them must be known. */
  featuresWithin(start: number, count: number): readonly FeatureSpan[] {
    return featuresWithin(this.spans, this.#features, start, count)
  }

  /** Drops the features: the prompt is read, or no longer wanted. */
  release(): void {
    this.#features = []
  }

  /** Images without features whose placeholders are not all in the cache. */
  #missing(cachedTokens: number): number[] {
    return this.spans.flatMap(({ start, tokens }, index) =>
      start + tokens <= cachedTokens || this.#features[index] !== undefined ? [] : [index],
    )
  }
}
