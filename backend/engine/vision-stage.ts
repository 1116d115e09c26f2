import { ServiceError } from '../../shared/api/errors.ts'
import type { Model, PatchImage } from '../model/model.ts'
import { ImageCache } from './image-cache.ts'
import type { SequenceStatus } from './step-plan.ts'

/** An image, and the name of what it shows; see `imageKey`. */
export interface KeyedImage {
  readonly key: string
  readonly image: PatchImage
}

/** What the stage asks of a sequence. */
interface Viewer {
  readonly status: SequenceStatus
  /** The image it needs next; there is one while its status is `vision`. */
  readonly nextImage: KeyedImage
  /** Whether it waits for features of this name. */
  lacks(key: string): boolean
  addFeatures(key: string, features: Float32Array): void
  fail(error: Error): void
}

/** Runs the vision tower, once for all who wait for the same image, and keeps what came of it for those to come. */
export class VisionStage {
  readonly #model: Pick<Model, 'encodeImage' | 'info'>
  readonly #cache: ImageCache
  #runs = 0

  constructor(model: Pick<Model, 'encodeImage' | 'info'>, maxCacheBytes: number) {
    this.#model = model
    this.#cache = new ImageCache(maxCacheBytes)
  }

  /** Runs of the vision tower so far. */
  get runs(): number {
    return this.#runs
  }

  get cachedBytes(): number {
    return this.#cache.bytes
  }

  /** Gives sequences what is at hand already. */
  serve(running: readonly Viewer[]): void {
    for (const viewer of running) {
      while (viewer.status === 'vision') {
        const { key } = viewer.nextImage
        const features = this.#cache.get(key)
        if (features === undefined) break
        viewer.addFeatures(key, features)
      }
    }
  }

  /**
   * Encodes an image for all who wait for it when it is done; a failure is theirs, too, and the next to ask tries
   * again.
   */
  async encode({ key, image }: KeyedImage, running: readonly Viewer[]): Promise<void> {
    const waiting = () =>
      running.filter((viewer) => viewer.status === 'vision' && viewer.lacks(key))
    this.#runs += 1
    try {
      const features = await this.#model.encodeImage(image)
      this.#check(image, features)
      this.#cache.set(key, features)
      for (const viewer of waiting()) viewer.addFeatures(key, features)
    } catch (cause) {
      const error = visionError(cause)
      for (const viewer of waiting()) viewer.fail(error)
    }
  }

  #check({ gridHw: [rows, columns] }: PatchImage, features: Float32Array): void {
    const { hiddenSize, mergeSize } = this.#model.info
    if (features.length === ((rows * columns) / mergeSize ** 2) * hiddenSize) return
    throw new RangeError(`${features.length} features for a grid of ${rows} x ${columns}`)
  }
}

function visionError(cause: unknown): ServiceError {
  if (cause instanceof ServiceError) return cause
  const message = 'Cannot describe the image: the vision model failed'
  return new ServiceError('internal', message, { cause })
}
