import { setMaxListeners } from 'node:events'
import { ServiceError } from '../../../shared/api/errors.ts'
import { maxImages, maxLowDetailTokens } from '../../../shared/api/limits.ts'
import type { ImageDetail } from '../../../shared/conversation/conversation.ts'
import { answerOpening, conversationSegments } from '../text/chat-template.ts'
import type { ContentPart, Message } from '../processor.ts'
import type { ImageOutcome, ProcessorTasks, TaskCaller } from './processor-tasks.ts'

/** What is done with each image file; see `ProcessorTasks`. */
type ImageTask<Image> = (
  file: Uint8Array,
  caller: TaskCaller,
  mostTokens: number,
) => Promise<ImageOutcome<Image>>

/**
 * Runs text and all images at once. The first failure, or the caller's signal, aborts the rest.
 * @param files see `Processor.prepare`
 */
export async function runTasks<Image>(
  tasks: Pick<ProcessorTasks, 'encodeTexts'>,
  runImage: ImageTask<Image>,
  messages: readonly Message[],
  files: readonly Uint8Array[],
  { tenant, signal }: TaskCaller,
) {
  const segments = [...conversationSegments(messages), ...answerOpening]
  const texts = segments.flatMap((segment) => ('text' in segment ? [segment.text] : []))
  const images = placed(files, messages)
  const failed = new AbortController()
  const either = { tenant, signal: AbortSignal.any([signal, failed.signal]) }
  // Each image adds two listeners: the one that waits for it, and its time limit.
  setMaxListeners(2 * maxImages + 1, either.signal)
  try {
    const [textIds, prepared] = await Promise.all([
      tasks.encodeTexts(texts, either),
      Promise.all(images.map(({ file, place }) => preparedImage(runImage, file, place, either))),
    ])
    signal.throwIfAborted()
    return { segments, textIds, images: prepared }
  } catch (error) {
    failed.abort()
    throw signal.aborted ? cancellation(signal) : error
  }
}

type ImagePlace = Extract<ContentPart, { type: 'image' }> & { readonly number: number }

/** Each file with its place in the conversation. Throws before any task starts, which nobody would then wait for. */
function placed(files: readonly Uint8Array[], messages: readonly Message[]) {
  const parts = messages.flatMap(({ content }) => content.filter((part) => part.type === 'image'))
  return apart(files).map((file, index) => {
    const part = parts[index]
    if (part === undefined) throw new RangeError('There are more images than places for them')
    return { file, place: { ...part, number: index + 1 } }
  })
}

async function preparedImage<Image>(
  runImage: ImageTask<Image>,
  file: Uint8Array,
  { number, detail = 'high', param = 'images' }: ImagePlace,
  caller: TaskCaller,
): Promise<Image> {
  const outcome = await runImage(file, caller, mostTokens[detail])
  if (outcome.ok) return outcome.image
  throw new ServiceError(outcome.code, `Cannot read image ${number}: ${outcome.message}`, { param })
}

/** Files may be transferred to other threads; where two share memory, the later one gets a copy. */
function apart(files: readonly Uint8Array[]): Uint8Array[] {
  const seen = new Set<ArrayBufferLike>()
  return files.map((file) => {
    if (seen.has(file.buffer)) return file.slice()
    seen.add(file.buffer)
    return file
  })
}

/** Tokens that an image takes at most, where that is less than the model's own limit: enough for a picture's gist. */
const mostTokens: Record<ImageDetail, number> = { low: maxLowDetailTokens, high: Infinity }

/** The error for an aborted caller: its own ServiceError (such as a deadline), else `cancelled`. */
function cancellation(signal: AbortSignal): ServiceError {
  if (signal.reason instanceof ServiceError) return signal.reason
  return new ServiceError('cancelled', 'The request was cancelled')
}
