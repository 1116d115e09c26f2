import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Report } from '../../../shared/progress/progress.ts'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import type { FloatType } from '../../checkpoint/half-float.ts'
import { embeddingTensor } from '../deepseek/embedding-table.ts'
import { lockConversion } from './conversion-lock.ts'
import { ensureConverted } from './converted-model.ts'
import {
  decoderFiles,
  readOf,
  visionFiles,
  type DecoderFiles,
  type GraphFileOptions,
  type VisionFiles,
} from './graph-files.ts'
import { buildGraphs, fileNames } from './graphs/build-graphs.ts'
import { readManifest, type Manifest } from './manifest.ts'
import type { MeasureChannels } from './measure-parts.ts'
import { checkInventory, expectedTensors } from './source/inventory.ts'
import type { ModelSource } from './source/model-source.ts'
import { checkFiles } from './verify/check-files.ts'
import { checksumsRead } from './verify/read-parts.ts'

export interface ModelFolderOptions extends GraphFileOptions {
  /** Folder of converted models; this one gets a subfolder named after its source. */
  readonly modelsDir: string
  /** Finds out how large channels are, where activations are rounded. */
  readonly measure: MeasureChannels
  /** Receives lines for the operator. */
  readonly onProgress?: Report
  /** File descriptor for the progress of checking and loading; see `loading-line.ts`. */
  readonly loadingPipe?: number
  /** Aborts a conversion, which the next call continues. */
  readonly signal?: AbortSignal
}

/** A checkpoint in the form that ONNX Runtime loads. */
export interface ModelFolder {
  readonly vision: VisionFiles
  readonly decoder: DecoderFiles
  readonly embeddingFile: string
  readonly embeddingType: FloatType
  /**
   * Compares the weights that are read with what was written: where the decoder is divided, those of the layers in this layout.
   * @param loadedBytes memory that weights loaded at the same time will take; their progress is reported along
   * @returns the damage found, for the operator; undefined when there is none
   */
  check(loadedBytes?: number): Promise<string | undefined>
  /** Removes the folder because of that damage, unless another process has recreated it. */
  discard(damage: string): Promise<void>
}

/**
 * Finds or makes the converted form of a model. Weights are written once and reused as long as the source's files,
 * the layout and every written byte are unchanged; damaged ones are made again. The small graph files are made on every
 * call.
 * @throws {CheckpointError} when the source is not a usable Kimi-VL, or the converted form cannot be written
 */
export async function prepareModelFolder(
  source: ModelSource,
  options: ModelFolderOptions,
): Promise<ModelFolder> {
  const found = await findModelFolder(source, options)
  const damage = await found.check()
  if (damage === undefined) return found
  await found.discard(damage)
  const made = await findModelFolder(source, options)
  const problem = await made.check()
  if (problem === undefined) return made
  throw new CheckpointError(`the disk does not keep what is written: ${problem}`)
}

/**
 * The same for a caller that checks the weights while it loads them.
 * @throws {CheckpointError} when the source is not a usable Kimi-VL, or the converted form cannot be written
 */
export async function findModelFolder(
  source: ModelSource,
  options: ModelFolderOptions,
): Promise<ModelFolder> {
  const { config, checkpoint } = source
  const { onProgress: report = () => {}, signal = new AbortController().signal } = options
  const { loadingPipe: pipe } = options
  checkInventory(checkpoint.shapes, expectedTensors(config))
  const graphs = buildGraphs(config, checkpoint, options)
  const { folder, manifest } = await ensureConverted(source, graphs, { ...options, report, signal })
  const { equalization } = manifest
  const { decoder, read } = await decoderFiles(folder, source, options, graphs.decoder)
  const checksums = ({ files }: Pick<Manifest, 'files'>) =>
    checksumsRead(files, readOf(options, read))
  return {
    vision: await visionFiles(folder, source, options, { graphs, equalization }),
    decoder,
    embeddingFile: join(folder, fileNames.embeddings),
    embeddingType: embeddingTensor(checkpoint).type,
    async check(weightBytes) {
      const loading = pipe === undefined ? undefined : { pipe, weightBytes }
      const damage = await checkFiles(folder, checksums(manifest), signal, loading)
      return damage === undefined ? undefined : join(folder, damage)
    },
    async discard(damage) {
      const lock = await lockConversion(folder, { report, signal })
      try {
        // Another process may have made it anew in the meantime.
        const now = checksums((await readManifest(folder)) ?? manifest)
        if ((await checkFiles(folder, now, signal)) === undefined) return
        report(`${damage}: converting the checkpoint again`)
        await rm(folder, { recursive: true, force: true })
      } finally {
        lock.release()
      }
    },
  }
}
