import { join } from 'node:path'
import { WeightsFile } from '../../../graph/weights-file.ts'
import { embeddingTensor, writeEmbeddings } from '../../deepseek/embedding-table.ts'
import {
  buildGraphs,
  byFileName,
  fileNames,
  type GraphOptions,
  type GraphsByFile,
} from '../graphs/build-graphs.ts'
import {
  embeddingsFill,
  type ConversionEvent,
  type ConversionTask,
  type FillRef,
} from './conversion-task.ts'
import type { ModelSource } from '../source/model-source.ts'
import { PartBalance } from '../graphs/part-balance.ts'
import { sha256OfFile } from '../source/source-files.ts'

/** Does the tasks of a conversion, in one thread. Several can work on the same folder. */
export class Converter {
  readonly #source: ModelSource
  readonly #maxima = new Map<string, Float32Array>()
  readonly #balance: PartBalance
  readonly #graphs: GraphsByFile
  readonly #folder: string
  readonly #files = new Map<string, WeightsFile>()

  /** @param folder where the files are written; must exist */
  constructor(source: ModelSource, options: GraphOptions, folder: string) {
    this.#source = source
    this.#folder = folder
    this.#balance = new PartBalance(source.checkpoint, source.config, {
      layout: options.layout,
      maxima: this.#maxima,
    })
    const { checkpoint } = this.#balance
    this.#graphs = byFileName(buildGraphs(source.config, checkpoint, options))
  }

  async *run(task: ConversionTask, signal: AbortSignal): AsyncGenerator<ConversionEvent, void> {
    switch (task.type) {
      case 'hash': {
        const file = join(this.#source.folder!, task.name)
        yield { type: 'hashed', name: task.name, sha256: await sha256OfFile(file, signal) }
        return
      }
      case 'embeddings': {
        const file = join(this.#folder, fileNames.embeddings)
        const tensor = embeddingTensor(this.#source.checkpoint)
        const parts = await writeEmbeddings(tensor, file, signal)
        yield { type: 'filled', ...embeddingsFill, parts }
        return
      }
      case 'part': {
        for (const [link, values] of task.maxima) this.#maxima.set(link, values)
        const shifts = task.shifts ?? (await this.#balance.find(task.part, signal))
        this.#balance.set(shifts)
        if (task.shifts === undefined) yield { type: 'balanced', part: task.part, shifts }
        for (const ref of task.fills) yield await this.#fill(ref, signal)
      }
    }
  }

  async #fill({ file, fill }: FillRef, signal: AbortSignal): Promise<ConversionEvent> {
    const graph = this.#graphs[file]!
    const open = this.#files.get(file) ?? (await WeightsFile.open(join(this.#folder, file), graph))
    this.#files.set(file, open)
    return { type: 'filled', file, fill, parts: await open.run(graph.fills[fill]!, signal) }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.close()))
  }
}
