import type { FilePart } from '../../../graph/weights-file.ts'
import type { ChannelMaxima } from '../../equalize/channel-maxima.ts'
import type { Equalization } from '../../equalize/find-outliers.ts'
import { fileNames, type GraphsByFile } from '../graphs/build-graphs.ts'

/** A fill of a weights file, by its place in the graph's list; the embeddings are one. */
export interface FillRef {
  readonly file: string
  readonly fill: number
}

export const embeddingsFill: FillRef = { file: fileNames.embeddings, fill: 0 }

/** What one thread does at a time. */
export type ConversionTask =
  /** Hashes a file of the source, which then is in the page cache for the tasks that read it. */
  | { readonly type: 'hash'; readonly name: string }
  | {
      readonly type: 'part'
      readonly part: string
      readonly fills: readonly FillRef[]
      /** Shifts of the part's channels; undefined when they have to be found first. */
      readonly shifts: Equalization | undefined
      /** What was measured of them. */
      readonly maxima: ChannelMaxima
    }
  | { readonly type: 'embeddings' }

/** Link -> Base64 of the largest magnitude of each of its channels, as float32. */
export type StoredMaxima = Readonly<Record<string, string>>

/** What has been done. */
export type ConversionEvent =
  | { readonly type: 'hashed'; readonly name: string; readonly sha256: string }
  | {
      readonly type: 'measured'
      readonly part: string
      readonly maxima: StoredMaxima
      /** SHA-256 of the hidden rows behind it. */
      readonly rows?: string | undefined
    }
  | { readonly type: 'balanced'; readonly part: string; readonly shifts: Equalization }
  | ({ readonly type: 'filled'; readonly parts: readonly FilePart[] } & FillRef)

/**
 * The part of a model that a fill or a link belongs to: a layer, a block, or what a file has besides. Channels are balanced
 * inside of a part, so each can be converted by itself.
 */
export function partOf(name: string, otherwise: string): string {
  return /\b(?:layers|blocks)\.\d+/.exec(name)?.[0] ?? otherwise
}

/** The fills of each part, in the order of their files. */
export function fillsByPart(graphs: GraphsByFile): Map<string, FillRef[]> {
  const parts = new Map<string, FillRef[]>()
  for (const [file, { fills }] of Object.entries(graphs)) {
    for (const [fill, { name }] of fills.entries()) {
      const part = partOf(name, file)
      parts.set(part, [...(parts.get(part) ?? []), { file, fill }])
    }
  }
  return parts
}
