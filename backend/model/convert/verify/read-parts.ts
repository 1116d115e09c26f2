import { checksumPartBytes, type FileChecksums } from '../../../graph/weights-file.ts'

/** Where a tensor is in its weights file. */
interface Place {
  readonly offset: number
  readonly byteLength: number
}

/** What is read of each weights file: all of it, or some tensors, in this order. Files that are not listed are not read. */
export type ReadPlaces = Readonly<Record<string, 'all' | readonly Place[]>>

/** Of all checksums of weights files, those of what is read. */
export function checksumsRead(
  files: Readonly<Record<string, FileChecksums>>,
  read: ReadPlaces,
): Record<string, FileChecksums> {
  return Object.fromEntries(
    Object.entries(read).flatMap(([name, places]) => {
      const file = files[name]
      return file === undefined ? [] : [[name, checksumsOfFile(file, places)]]
    }),
  )
}

/** Each tensor has parts of its own, the first of which begins where it does. */
function checksumsOfFile(file: FileChecksums, places: ReadPlaces[string]): FileChecksums {
  if (places === 'all') return file
  const byOffset = new Map(file.parts.map((part) => [part.offset, part]))
  const offsets = places.flatMap(({ offset, byteLength }) =>
    Array.from(
      { length: Math.ceil(byteLength / checksumPartBytes) },
      (_, part) => offset + part * checksumPartBytes,
    ),
  )
  const parts = [...new Set(offsets)].map((offset) => byOffset.get(offset))
  return { ...file, parts: parts.filter((part) => part !== undefined) }
}

/**
 * One list of what is read side by side, in the order in which all of it is read if each list takes equally long.
 */
export function readSideBySide<Read extends Place>(lists: readonly (readonly Read[])[]): Read[] {
  const timed = lists.flatMap((list) => {
    const total = list.reduce((sum, { byteLength }) => sum + byteLength, 0)
    let done = 0
    return list.map((place) => ({ place, at: (done += place.byteLength) / total }))
  })
  return timed.toSorted((a, b) => a.at - b.at).map(({ place }) => place)
}
