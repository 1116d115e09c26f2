import { ServiceError } from '../../../shared/api/errors.ts'
import type { ImageRun, Model, PatchImage } from '../../model/model.ts'
import { ImageCache } from '../images/image-cache.ts'
import type { KeyedImage } from '../images/prompt-images.ts'
import { chooseImage } from './scheduler.ts'
import type { Schedulable } from './step-plan.ts'

/**
 * Images that may be begun and not done: the one looked at, and a shorter or another tenant's that passed it. Each holds
 * up to 120 MB.
 */
const mostUnderWay = 2

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

/** An image that was begun. */
interface Look {
  run?: ImageRun
  /** In prompt tokens. */
  readonly work: number
  /** Features, or why there are none; once it is over. */
  outcome?: Float32Array | ServiceError
}

/**
 * Has images looked at, a piece between two steps, once for all who wait for the same one, and keeps what came of it for
 * those to come.
 */
export class VisionStage {
  readonly #model: Pick<Model, 'beginImage' | 'info'>
  readonly #cache: ImageCache
  /** By name. */
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

  /** Whether it has begun to look at the image a sequence needs next; given up, that would be lost. */
  looksFor(viewer: Pick<Viewer, 'status' | 'nextImage'>): boolean {
    return viewer.status === 'vision' && this.#looks.has(viewer.nextImage.key)
  }

  /**
   * Hands out what is at hand, and gives up what is nobody's next image any more. Called before each turn, and once nothing
   * runs.
   * @param running sequences that hold a slot, longest first
   * @returns the work of images that were done, in prompt tokens
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
   * Looks at the image that is next.
   * @param turn number of the engine's turn
   * @param work in units of the model's own, see `ImageRun.advance`
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

  /** Its outcome is for all who wait for it now, a failure too; the next to ask after that tries again. */
  #end(key: string, outcome: Float32Array | ServiceError, running: readonly Viewer[]): void {
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

  /** Of those that are kept each can go on, however few may be under way. */
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

  #checked({ gridHw: [rows, columns] }: PatchImage, features: Float32Array): Float32Array {
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
