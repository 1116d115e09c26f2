import { ServiceError } from '../../../shared/api/errors.ts'
import type { ImageFeatures, ImageRun, Model, PatchImage } from '../../model/model.ts'
import { ImageCache } from '../images/image-cache.ts'
import type { KeyedImage } from '../images/prompt-images.ts'
import { chooseImage } from './scheduler.ts'
import type { Schedulable } from './step-plan.ts'

/**
 * Images that may be begun but not done: the current one, and a shorter one or another tenant's that overtook it.
 * Each takes up to 120 MB.
 */
const mostUnderWay = 2

/** What the stage needs to know about a sequence. */
interface Viewer extends Schedulable {
  /** The image it needs next; there is one while its status is `vision`. */
  readonly nextImage: KeyedImage
  /** Whether it waits for features with this key. */
  lacks(key: string): boolean
  addFeatures(key: string, features: ImageFeatures): void
  /** Charges a run to this sequence, even if it serves others too. @returns the work, in prompt tokens */
  countImage(key: string): number
  fail(error: Error): void
}

/** An image that was begun. */
interface Look {
  run?: ImageRun
  /** In prompt tokens. */
  readonly work: number
  /** The features, or the error that prevented them; set when it is over. */
  outcome?: ImageFeatures | ServiceError
}

/**
 * Processes images, a piece between two steps, once for all sequences that wait for the same one, and caches the
 * features for later.
 */
export class VisionStage {
  readonly #model: Pick<Model, 'beginImage' | 'info'>
  readonly #cache: ImageCache
  /** By key. */
  readonly #looks = new Map<string, Look>()
  #runs = 0

  constructor(model: Pick<Model, 'beginImage' | 'info'>, maxCacheBytes: number) {
    this.#model = model
    this.#cache = new ImageCache(maxCacheBytes)
  }

  /** Images begun so far. */
  get runs(): number {
    return this.#runs
  }

  get cachedBytes(): number {
    return this.#cache.bytes
  }

  /** Whether the image that a sequence needs next was begun; if the sequence gave up, that work would be lost. */
  looksFor(viewer: Pick<Viewer, 'status' | 'nextImage'>): boolean {
    return viewer.status === 'vision' && this.#looks.has(viewer.nextImage.key)
  }

  /**
   * Hands out available features, and abandons images that no sequence needs next any more. Called before each turn,
   * and once nothing runs.
   * @param running sequences that hold a slot, the longest-held first
   * @returns the work of images that were completed, in prompt tokens
   */
  beforeTurn(running: readonly Viewer[]): number {
    let work = 0
    for (const [key, { outcome, work: done }] of this.#looks) {
      if (outcome === undefined) continue
      this.#end(key, outcome, running)
      if (!(outcome instanceof ServiceError)) work += done
    }
    this.#serve(running)
    this.#giveUpUnwanted(running)
    return work
  }

  /**
   * Processes a piece of the next image.
   * @param turn number of the engine's turn
   * @param work in the model's own unit, see `ImageRun.advance`
   * @returns the work done
   */
  async look(running: readonly Viewer[], turn: number, work: number): Promise<number> {
    const mayBegin = this.#looks.size < mostUnderWay
    const viewer = chooseImage(
      running,
      turn,
      ({ nextImage }) => mayBegin || this.#looks.has(nextImage.key),
    )
    if (viewer === undefined) return 0
    const { key, image } = viewer.nextImage
    const look = this.#looks.get(key) ?? this.#begin(viewer)
    try {
      look.run ??= this.#model.beginImage(image)
      const done = await look.run.advance(work)
      const { features } = look.run
      if (features !== undefined) look.outcome = this.#checked(image, features)
      return done
    } catch (cause) {
      look.run?.close()
      look.outcome = visionError(cause)
      return 0
    }
  }

  /**
   * The outcome, even a failure, is for all sequences that wait for it now; the next one to need the image tries
   * again.
   */
  #end(key: string, outcome: ImageFeatures | ServiceError, running: readonly Viewer[]): void {
    this.#looks.delete(key)
    if (!(outcome instanceof ServiceError)) this.#cache.set(key, outcome)
    for (const viewer of running) {
      if (viewer.status !== 'vision' || !viewer.lacks(key)) continue
      if (outcome instanceof ServiceError) viewer.fail(outcome)
      else viewer.addFeatures(key, outcome)
    }
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

  /** Any of those that are kept can continue, however few may be in progress. */
  #giveUpUnwanted(running: readonly Viewer[]): void {
    const viewers = running.filter(({ status }) => status === 'vision')
    const wanted = new Set(viewers.map(({ nextImage }) => nextImage.key))
    for (const [key, { run }] of this.#looks) {
      if (wanted.has(key)) continue
      run?.close()
      this.#looks.delete(key)
    }
  }

  #begin(viewer: Viewer): Look {
    const { key } = viewer.nextImage
    this.#runs += 1
    const look: Look = { work: viewer.countImage(key) }
    this.#looks.set(key, look)
    return look
  }

  #checked({ gridHw: [rows, columns] }: PatchImage, features: ImageFeatures): ImageFeatures {
    const { hiddenSize, mergeSize } = this.#model.info
    if (features.length === ((rows * columns) / mergeSize ** 2) * hiddenSize) return features
    throw new RangeError(`${features.length} features for a grid of ${rows} x ${columns}`)
  }
}

function visionError(cause: unknown): ServiceError {
  if (cause instanceof ServiceError) return cause
  const message = 'Cannot describe the image: the vision model failed'
  return new ServiceError('internal', message, { cause })
}
