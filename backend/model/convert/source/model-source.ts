import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { openCheckpoint, type Checkpoint } from '../../../checkpoint/checkpoint.ts'
import { readModelConfig, type ModelConfig } from '../../config/model-config.ts'
import { modelName } from '../../config/model-name.ts'
import {
  readPreprocessorConfig,
  type PreprocessorConfig,
} from '../../config/preprocessor-config.ts'
import { ranksFile, readTokenizerFile, type TokenizerFile } from '../../config/tokenizer-file.ts'
import { listSources, sourcesUnchanged, type FileState, type SourceFile } from './source-files.ts'

/** Where a model comes from: a checkpoint folder, or a generator of weights for benchmarks. */
export interface ModelSource {
  /** Becomes the name of the converted model's folder. */
  readonly name: string
  /** The checkpoint folder, which other threads can open as well; none for a generator. */
  readonly folder: string | undefined
  readonly config: ModelConfig
  readonly preprocessor: PreprocessorConfig
  readonly checkpoint: Checkpoint
  /** Reads the vocabulary; undefined where there is none: of a generator, or of weights alone. */
  readonly readTokens: (() => Promise<TokenizerFile>) | undefined
  /** What a conversion is made from, so that it can be recognised as outdated later. */
  listFiles(): Promise<FileState[]>
  filesUnchanged(files: readonly SourceFile[]): Promise<boolean>
}

/**
 * Opens a Hugging Face checkpoint folder. The caller closes `checkpoint`.
 * @throws {CheckpointError} when its files are missing, malformed or of another architecture
 */
export async function openModelSource(checkpointDir: string): Promise<ModelSource> {
  const hasTokens = existsSync(join(checkpointDir, ranksFile))
  return {
    name: modelName(checkpointDir),
    folder: checkpointDir,
    config: await readModelConfig(checkpointDir),
    preprocessor: await readPreprocessorConfig(checkpointDir),
    checkpoint: await openCheckpoint(checkpointDir),
    readTokens: hasTokens ? () => readTokenizerFile(checkpointDir) : undefined,
    listFiles: () => listSources(checkpointDir),
    filesUnchanged: (files) => sourcesUnchanged(checkpointDir, files),
  }
}
