import type { PatchImage } from '../../model/model.ts'
import { readPreprocessorConfig } from '../../model/config/preprocessor-config.ts'
import { ImageProblem } from '../image/image-problem.ts'
import type { ImageProblemCode } from '../image/image-problem.ts'
import type { NormalizedImage } from '../image/normalize-image.ts'
import { readRanks } from '../../model/config/tokenizer-file.ts'

/** An error's class does not survive the transfer between threads; a tagged result does. */
export type ImageOutcome<Image = PatchImage> =
  | { readonly ok: true; readonly image: Image }
  | { readonly ok: false; readonly code: ImageProblemCode; readonly message: string }

/** What each task on an image file ends with. */
export interface ImageOutcomes {
  readonly prepareImage: ImageOutcome
  readonly normalizeImage: ImageOutcome<NormalizedImage>
}

/**
 * The tenant whose task it is, and a signal that fires when it is no longer wanted. The same object for all tasks of
 * one request.
 */
export interface TaskCaller {
  readonly tenant: string
  readonly signal: AbortSignal
}

/**
 * The heavy part of a processor, which may run in other threads. Aborting stops the waiting, not necessarily the
 * work.
 */
export interface ProcessorTasks {
  /** @returns the ids of each text, in order */
  encodeTexts(texts: readonly string[], caller: TaskCaller): Promise<Int32Array[]>
  /**
   * @param file may be moved to another thread: it must not be used afterwards
   * @param mostTokens that the image may take; the model's own limit where that is less
   */
  prepareImage(file: Uint8Array, caller: TaskCaller, mostTokens?: number): Promise<ImageOutcome>
  /** The same, for an engine that takes files. */
  normalizeImage(
    file: Uint8Array,
    caller: TaskCaller,
    mostTokens?: number,
  ): Promise<ImageOutcome<NormalizedImage>>
  close(): Promise<void>
}

/**
 * Does the work in this thread. Tokenizer and settings are read once, when first needed, and so is the code: what
 * encodes text needs no decoders, and the reverse.
 */
export function createLocalTasks(modelFolder: string): ProcessorTasks {
  const tokenizer = once(async () => {
    const { createTokenizer } = await import('../text/tokenizer.ts')
    return createTokenizer(await readRanks(modelFolder))
  })
  const config = once(() => readPreprocessorConfig(modelFolder))
  return {
    async encodeTexts(texts, { signal }) {
      signal.throwIfAborted()
      const { encodeOrdinary } = await tokenizer()
      return texts.map(encodeOrdinary)
    },
    async prepareImage(file, { signal }, mostTokens) {
      signal.throwIfAborted()
      const { prepareImage } = await import('../image/prepare-image.ts')
      return outcomeOf(async () => prepareImage(file, await config(), mostTokens))
    },
    async normalizeImage(file, { signal }, mostTokens) {
      signal.throwIfAborted()
      const { normalizeImage } = await import('../image/normalize-image.ts')
      return outcomeOf(async () => normalizeImage(file, await config(), mostTokens))
    },
    close: () => Promise.resolve(),
  }
}

async function outcomeOf<Image>(make: () => Promise<Image>): Promise<ImageOutcome<Image>> {
  try {
    return { ok: true, image: await make() }
  } catch (error) {
    if (!(error instanceof ImageProblem)) throw error
    return { ok: false, code: error.code, message: error.message }
  }
}

function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let value: Promise<Value> | undefined
  return () => (value ??= make())
}
