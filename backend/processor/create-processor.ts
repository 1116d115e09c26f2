import { setMaxListeners } from 'node:events'
import { ServiceError } from '../../shared/api/errors.ts'
import { maxImages, maxLowDetailTokens } from '../../shared/api/limits.ts'
import type { ImageDetail } from '../../shared/conversation/conversation.ts'
import type { PatchImage } from '../model/model.ts'
import { readPreprocessorConfig } from '../model/config/preprocessor-config.ts'
import type { PreprocessorConfig } from '../model/config/preprocessor-config.ts'
import { unusableFile } from '../model/config/read-model-file.ts'
import { answerOpening, controlTokens, conversationSegments } from './chat-template.ts'
import type { ControlToken } from './chat-template.ts'
import { bytesOf, createDetokenizer, textOf } from './detokenizer.ts'
import type { ContentPart, Message, PreparedPrompt, Processor } from './processor.ts'
import type { ProcessorTasks, TaskCaller } from './processor-tasks.ts'
import { joinPromptIds } from './prompt-ids.ts'
import { readTokenizerFile } from '../model/config/tokenizer-file.ts'
import type { TokenizerFile } from '../model/config/tokenizer-file.ts'

interface ProcessorOptions {
  /** Folder of the checkpoint: config.json, preprocessor_config.json, tokenizer_config.json, tiktoken.model. */
  readonly modelFolder: string
  /** Belongs to the processor from here on, even if creating it fails. */
  readonly tasks: ProcessorTasks
}

/**
 * Reads the checkpoint's small files and waits until text can be encoded.
 * @throws {CheckpointError} naming the bad file and field
 */
export async function createProcessor({
  modelFolder,
  tasks,
}: ProcessorOptions): Promise<Processor> {
  try {
    const [tokenizer, images] = await Promise.all([
      readTokenizerFile(modelFolder),
      readPreprocessorConfig(modelFolder),
      tasks.encodeTexts([], { tenant: '', signal: new AbortController().signal }),
    ])
    return processorOf(tokenizer, images, tasks)
  } catch (error) {
    await tasks.close()
    throw error
  }
}

function processorOf(
  { baseVocabulary, specialTokens, tokenBytes }: TokenizerFile,
  { mergeSize }: PreprocessorConfig,
  tasks: ProcessorTasks,
): Processor {
  const controlIds = Object.fromEntries(
    controlTokens.map((name) => [name, idOf(specialTokens, name)]),
  ) as Record<ControlToken, number>
  const controlNames = new Map(Array.from(specialTokens, ([name, id]) => [id, name]))
  return {
    stopIds: [controlIds['<|im_end|>'], idOf(specialTokens, '[EOS]')],
    controlIdsFrom: baseVocabulary,
    async prepare(messages, files, caller) {
      const { segments, textIds, images } = await runTasks(tasks, messages, files, caller)
      const imageTokens = images.map(
        ({ gridHw: [rows, columns] }) => (rows * columns) / mergeSize ** 2,
      )
      return {
        promptIds: joinPromptIds(segments, controlIds, textIds, imageTokens),
        images,
        imageTokens: imageTokens.reduce((sum, tokens) => sum + tokens, 0),
      } satisfies PreparedPrompt
    },
    tokenText: (id) => controlNames.get(id) ?? textOf(tokenBytes, id),
    tokenBytes: (id) => bytesOf(tokenBytes, id),
    createDetokenizer: () => createDetokenizer(tokenBytes),
    close: () => tasks.close(),
  }
}

function idOf(specialTokens: TokenizerFile['specialTokens'], name: string): number {
  const id = specialTokens.get(name)
  if (id === undefined) {
    throw unusableFile('tokenizer_config.json', `added_tokens_decoder: names no token ${name}`)
  }
  return id
}

/** Runs text and all images at once. The first failure, or the caller's signal, aborts the rest. */
async function runTasks(
  tasks: ProcessorTasks,
  messages: readonly Message[],
  files: readonly Uint8Array[],
  { tenant, signal }: TaskCaller,
) {
  const segments = [...conversationSegments(messages), ...answerOpening]
  const texts = segments.flatMap((segment) => ('text' in segment ? [segment.text] : []))
  const places = messages.flatMap(({ content }) => content.filter((part) => part.type === 'image'))
  const failed = new AbortController()
  const either = { tenant, signal: AbortSignal.any([signal, failed.signal]) }
  // Each image adds a listener.
  setMaxListeners(maxImages + 1, either.signal)
  try {
    const [textIds, images] = await Promise.all([
      tasks.encodeTexts(texts, either),
      Promise.all(
        apart(files).map((file, index) =>
          preparedImage(tasks, file, placeOf(places, index), either),
        ),
      ),
    ])
    signal.throwIfAborted()
    return { segments, textIds, images }
  } catch (error) {
    failed.abort()
    throw signal.aborted ? cancellation(signal) : error
  }
}

type ImagePlace = Extract<ContentPart, { type: 'image' }> & { readonly number: number }

function placeOf(places: readonly Extract<ContentPart, { type: 'image' }>[], index: number) {
  const place = places[index]
  if (place === undefined) throw new RangeError('There are more images than places for them')
  return { ...place, number: index + 1 }
}

async function preparedImage(
  tasks: ProcessorTasks,
  file: Uint8Array,
  { number, detail = 'high', param = 'images' }: ImagePlace,
  caller: TaskCaller,
): Promise<PatchImage> {
  const outcome = await tasks.prepareImage(file, caller, mostTokens[detail])
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
