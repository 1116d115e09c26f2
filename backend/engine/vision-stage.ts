import { ServiceError } from '../../shared/api/errors.ts'
import type { Model, PatchImage } from '../model/model.ts'
import { ImageCache } from './image-cache.ts'
import type { KeyedImage } from './prompt-images.ts'
import { chooseImage } from './scheduler.ts'
import type { Schedulable } from './step-plan.ts'

/** What the stage asks of a sequence. */
interface Viewer extends Schedulable {
  /** The image it needs next; there is one while its status is `vision`. */
  readonly nextImage: KeyedImage
  /** Whether it waits for features of this name. */
  lacks(key: string): boolean
  addFeatures(key: string, features: Float32Array): void
  /** Counts a run that is made for it, whoever else it serves. @returns the work, in prompt tokens */
  countImage(key: string): number
  fail(error: Error): void
}

/** A run of the vision tower. */
interface VisionRun {
  readonly key: string
  /** In prompt tokens. */
  readonly work: number
  /** Features, or why there are none; once it is over. */
  outcome?: Float32Array | ServiceError
}

/**
 * Runs the vision tower beside the steps: one image at a time, once for all who wait for the same one, and keeps what came
 * of it for those to come. What a run brings is handed out between steps.
 */
export class VisionStage {
  readonly #model: Pick<Model, 'encodeImage' | 'info'>
  readonly #cache: ImageCache
  readonly #onRunOver: () => void
  #run: VisionRun | undefined
  #runs = 0

  /** @param onRunOver called when there is something to hand out */
  constructor(
    model: Pick<Model, 'encodeImage' | 'info'>,
    maxCacheBytes: number,
    onRunOver: () => void,
  ) {
    this.#model = model
    this.#cache = new ImageCache(maxCacheBytes)
    this.#onRunOver = onRunOver
  }

  /** Runs of the vision tower so far, with the one under way. */
  get runs(): number {
    return this.#runs
  }

  /** Whether a run is under way, or over and not handed out. */
  get busy(): boolean {
    return this.#run !== undefined
  }

  get cachedBytes(): number {
    return this.#cache.bytes
  }

  /**
   * Hands out what is at hand, and begins the next run if none is under way. Called between steps.
   * @param running sequences that hold a slot, longest first
   * @returns the work of a run that came to its end, in prompt tokens
   */
  advance(running: readonly Viewer[]): number {
    const work = this.#endRun(running)
    this.#serve(running)
    if (this.#run === undefined) this.#beginRun(running)
    return work
  }

  /** Its outcome is for all who wait for it now, a failure too; the next to ask after that tries again. */
  #endRun(running: readonly Viewer[]): number {
    if (this.#run?.outcome === undefined) return 0
    const { key, outcome, work } = this.#run
    this.#run = undefined
    if (!(outcome instanceof ServiceError)) this.#cache.set(key, outcome)
    for (const viewer of running) {
      if (viewer.status !== 'vision' || !viewer.lacks(key)) continue
      if (outcome instanceof ServiceError) viewer.fail(outcome)
      else viewer.addFeatures(key, outcome)
    }
    return work
  }

  #serve(running: readonly Viewer[]): void {
    for (const viewer of running) {
      while (viewer.status === 'vision') {
        const { key } = viewer.nextImage
        const features = this.#cache.get(key)
        if (features === undefined) break
        viewer.addFeatures(key, features)
      }
    }
  }

  /** Nobody who leaves meanwhile ends it: others may come to wait for the same image. */
  #beginRun(running: readonly Viewer[]): void {
    const viewer = chooseImage(running, this.#runs + 1)
    if (viewer === undefined) return
    this.#runs += 1
    const { key, image } = viewer.nextImage
    const run: VisionRun = { key, work: viewer.countImage(key) }
    this.#run = run
    void this.#encode(image, run)
  }

  /** Never rejects. */
  async #encode(image: PatchImage, run: VisionRun): Promise<void> {
    try {
      const features = await this.#model.encodeImage(image)
      this.#check(image, features)
      run.outcome = features
    } catch (cause) {
      run.outcome = visionError(cause)
    }
    this.#onRunOver()
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
