import { digestPartBytes, type FileDigest } from '../../../graph/weights-file.ts'

/** Where a tensor is in its weights file. */
interface Place {
  readonly offset: number
  readonly byteLength: number
}

/** What is read of each weights file: all of it, or some tensors. Files that are not listed are not read. */
export type ReadPlaces = Readonly<Record<string, 'all' | readonly Place[]>>

/** Of all digests of weights files, those of what is read. */
export function digestsRead(
  files: Readonly<Record<string, FileDigest>>,
  read: ReadPlaces,
): Record<string, FileDigest> {
  return Object.fromEntries(
    Object.entries(read).flatMap(([name, places]) => {
      const file = files[name]
      return file === undefined ? [] : [[name, digestRead(file, places)]]
    }),
  )
}

/** Each tensor has parts of its own, the first of which begins where it does. */
function digestRead(file: FileDigest, places: ReadPlaces[string]): FileDigest {
  if (places === 'all') return file
  const starts = new Set(
    places.flatMap(({ offset, byteLength }) =>
      Array.from(
        { length: Math.ceil(byteLength / digestPartBytes) },
        (_, part) => offset + part * digestPartBytes,
      ),
    ),
  )
  return { ...file, parts: file.parts.filter(({ offset }) => starts.has(offset)) }
}
