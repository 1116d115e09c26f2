import { embeddingsFill, fillsByPart, partOf, type ConversionTask } from './conversion-task.ts'
import type { GraphsByFile } from '../graphs/build-graphs.ts'
import type { Journal } from './journal.ts'
import type { ModelSource } from '../source/model-source.ts'

interface Plan {
  readonly graphs: GraphsByFile
  /** Files of the source that have to be hashed. */
  readonly files: readonly string[]
  /** Whether weights are rounded, so that channels have to be balanced before. */
  readonly isRounded: boolean
}

/**
 * The remaining tasks, in an order in which weights are read soon after their file was hashed: then they are still in
 * the page cache, and the disk is read only once. Tasks that take a single thread longest come first.
 */
export function planTasks(
  { checkpoint }: Pick<ModelSource, 'checkpoint'>,
  { graphs, files, isRounded }: Plan,
  journal: Journal,
): ConversionTask[] {
  const fileOfPart = firstFiles(checkpoint.files)
  const parts = [...fillsByPart(graphs)].flatMap(([part, all]): PartTask[] => {
    const fills = all.filter((ref) => !journal.isFilled(ref))
    const shifts = isRounded ? journal.shiftsOf(part) : {}
    if (fills.length === 0 && shifts !== undefined) return []
    return [{ type: 'part', part, fills, shifts, maxima: journal.maximaOf(part) ?? new Map() }]
  })
  const partsOf = (file: string | undefined) =>
    parts.filter(({ part }) => fileOfPart.get(part) === file)
  return [
    ...partsOf(undefined),
    ...(journal.isFilled(embeddingsFill) ? [] : [{ type: 'embeddings' } as const]),
    ...files.flatMap((name): ConversionTask[] => {
      const isHashed = journal.hashOf(name) !== undefined
      return [...(isHashed ? [] : [{ type: 'hash', name } as const]), ...partsOf(name)]
    }),
  ]
}

type PartTask = Extract<ConversionTask, { type: 'part' }>

/** Layer or block -> the first file with a tensor of it. */
function firstFiles(fileOfTensor: ReadonlyMap<string, string>): Map<string, string> {
  const files = new Map<string, string>()
  for (const [tensor, file] of fileOfTensor) {
    const part = partOf(tensor, '')
    if (part !== '' && file < (files.get(part) ?? '\uFFFF')) files.set(part, file)
  }
  return files
}
