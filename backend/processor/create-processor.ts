import { readPreprocessorConfig } from '../model/config/preprocessor-config.ts'
import type { PreprocessorConfig } from '../model/config/preprocessor-config.ts'
import { readGenerationConfig } from '../model/config/generation-config.ts'
import { thoughtMarks } from '../model/config/variant.ts'
import { controlTokens } from './text/chat-template.ts'
import type { ControlToken } from './text/chat-template.ts'
import { bytesOf, createDetokenizer, textOf } from './text/detokenizer.ts'
import type { PreparedPrompt, Processor } from './processor.ts'
import type { ProcessorTasks } from './tasks/processor-tasks.ts'
import { joinPromptIds } from './text/prompt-ids.ts'
import { runTasks } from './tasks/run-tasks.ts'
import { readTokenizerFile, unnamedToken } from '../model/config/tokenizer-file.ts'
import type { TokenizerFile } from '../model/config/tokenizer-file.ts'

interface ProcessorOptions {
  /** Folder of the checkpoint: config.json, preprocessor_config.json, tokenizer_config.json, tiktoken.model. */
  readonly modelFolder: string
  /** Belongs to the processor from here on, even if creating it fails. */
  readonly tasks: ProcessorTasks
}

const nobody = { tenant: '', signal: new AbortController().signal }

/**
 * Reads the checkpoint's small files and waits until text can be encoded.
 * @throws {CheckpointError} naming the bad file and field
 */
export async function createProcessor({
  modelFolder,
  tasks,
}: ProcessorOptions): Promise<Processor> {
  try {
    const [tokenizer, images, [begin = [], end = []]] = await Promise.all([
      readTokenizerFile(modelFolder),
      readPreprocessorConfig(modelFolder),
      tasks.encodeTexts([thoughtMarks.begin, thoughtMarks.end], nobody),
    ])
    const { stopIds } = await readGenerationConfig(modelFolder, tokenizer.vocabSize)
    const marks = { begin: [...begin], end: [...end] }
    return processorOf(tokenizer, images, { stopIds, thoughtMarks: marks }, tasks)
  } catch (error) {
    await tasks.close()
    throw error
  }
}

function processorOf(
  { baseVocabulary, specialTokens, tokenBytes }: TokenizerFile,
  { mergeSize }: PreprocessorConfig,
  { stopIds, thoughtMarks: marks }: Pick<Processor, 'stopIds' | 'thoughtMarks'>,
  tasks: ProcessorTasks,
): Processor {
  const controlIds = controlIdsOf(specialTokens)
  const controlNames = new Map(Array.from(specialTokens, ([name, id]) => [id, name]))
  const ends = [controlIds['<|im_end|>'], idOf(specialTokens, '[EOS]'), ...stopIds]
  return {
    stopIds: [...new Set(ends)],
    controlIdsFrom: baseVocabulary,
    thoughtMarks: marks,
    async prepare(messages, files, caller) {
      const { segments, textIds, images } = await runTasks(
        tasks,
        (...image) => tasks.prepareImage(...image),
        messages,
        files,
        caller,
      )
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

/** The ids of the tokens that the template writes. @throws {CheckpointError} when one is missing */
export function controlIdsOf(
  specialTokens: TokenizerFile['specialTokens'],
): Record<ControlToken, number> {
  return Object.fromEntries(
    controlTokens.map((name) => [name, idOf(specialTokens, name)]),
  ) as Record<ControlToken, number>
}

function idOf(specialTokens: TokenizerFile['specialTokens'], name: string): number {
  const id = specialTokens.get(name)
  if (id === undefined) {
    throw unnamedToken(name)
  }
  return id
}
