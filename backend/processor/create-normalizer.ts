import { readTokenizerFile } from '../model/config/tokenizer-file.ts'
import { controlIdsOf } from './create-processor.ts'
import { bytesOf, textOf } from './text/detokenizer.ts'
import { createPlainText } from './text/plain-text.ts'
import type { ContentPart, Message } from './processor.ts'
import type { ProcessorTasks, TaskCaller } from './tasks/processor-tasks.ts'
import { joinPromptIds } from './text/prompt-ids.ts'
import { runTasks } from './tasks/run-tasks.ts'

/** A conversation for an engine that takes text and files. */
export interface NormalizedPrompt {
  /** Their texts cannot be read as control tokens. */
  readonly messages: readonly Message[]
  /** PNG files, in the order of their places. */
  readonly pictures: readonly Uint8Array[]
  /** As this server's tokenizer and chat template count them, images included. */
  readonly promptTokens: number
  readonly imageTokens: number
}

/** Turns text and image files into what an engine elsewhere takes, and knows the model's vocabulary. */
export interface Normalizer {
  /** @param images and errors: see `Processor.prepare` */
  normalize(
    messages: readonly Message[],
    images: readonly Uint8Array[],
    caller: TaskCaller,
  ): Promise<NormalizedPrompt>
  /** Tokens of all texts together. */
  countTokens(texts: readonly string[], caller: TaskCaller): Promise<number>
  /** See `Processor`. */
  tokenText(id: number): string
  tokenBytes(id: number): Uint8Array
  close(): Promise<void>
}

interface NormalizerOptions {
  /** Folder of the model's small files: config.json, preprocessor_config.json, tokenizer_config.json, tiktoken.model. */
  readonly modelFolder: string
  /** Belongs to the normalizer from here on, even if creating it fails. */
  readonly tasks: ProcessorTasks
}

/**
 * Reads the model's small files and waits until text can be encoded.
 * @throws {CheckpointError} naming the bad file and field
 */
export async function createNormalizer(options: NormalizerOptions): Promise<Normalizer> {
  const { modelFolder, tasks } = options
  try {
    const tokenizer = await readTokenizerFile(modelFolder)
    await tasks.encodeTexts([], { tenant: '', signal: new AbortController().signal })
    return normalizerOf(tokenizer, tasks)
  } catch (error) {
    await tasks.close()
    throw error
  }
}

function normalizerOf(
  { specialTokens, tokenBytes }: Awaited<ReturnType<typeof readTokenizerFile>>,
  tasks: ProcessorTasks,
): Normalizer {
  const controlIds = controlIdsOf(specialTokens)
  const controlNames = new Map(Array.from(specialTokens, ([name, id]) => [id, name]))
  const plainText = createPlainText(specialTokens.keys())
  return {
    async normalize(given, files, caller) {
      const messages = withPlainText(given, plainText)
      const { segments, textIds, images } = await runTasks(
        tasks,
        (...image) => tasks.normalizeImage(...image),
        messages,
        files,
        caller,
      )
      const tokens = images.map((image) => image.tokens)
      return {
        messages,
        pictures: images.map(({ png }) => png),
        promptTokens: joinPromptIds(segments, controlIds, textIds, tokens).length,
        imageTokens: tokens.reduce((sum, each) => sum + each, 0),
      }
    },
    async countTokens(texts, caller) {
      const ids = await tasks.encodeTexts(texts, caller)
      return ids.reduce((sum, { length }) => sum + length, 0)
    },
    tokenText: (id) => controlNames.get(id) ?? textOf(tokenBytes, id),
    tokenBytes: (id) => bytesOf(tokenBytes, id),
    close: () => tasks.close(),
  }
}

function withPlainText(
  messages: readonly Message[],
  plainText: (text: string) => string,
): readonly Message[] {
  return messages.map((message) => ({
    ...message,
    content: joined(message.content).map((part) =>
      part.type === 'text' ? { ...part, text: plainText(part.text) } : part,
    ),
  }))
}

/** Adjacent texts as one: a name that is divided between them would otherwise be whole again in the engine. */
function joined(content: readonly ContentPart[]): ContentPart[] {
  const parts: ContentPart[] = []
  for (const part of content) {
    const last = parts.at(-1)
    if (part.type === 'text' && last?.type === 'text') {
      parts[parts.length - 1] = { type: 'text', text: last.text + part.text }
    } else {
      parts.push(part)
    }
  }
  return parts
}
