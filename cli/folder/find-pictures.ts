import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileErrorText } from '../../shared/node/files/file-error.ts'
import { errorText } from '../../shared/log/error-text.ts'

/** A file that looks like a picture by its name. */
export interface Picture {
  /** Path within the folder, with slashes on every system. */
  readonly file: string
  readonly bytes: number
  /** When its content last changed, in milliseconds since 1970. */
  readonly modifiedMs: number
}

export interface Found {
  /** In the order of their paths. */
  readonly pictures: readonly Picture[]
  /** What could not be looked at, one line each. */
  readonly problems: readonly string[]
}

/** HEIC is refused by the server, which says so; leaving it out here would be silent. */
const looksLikePicture = /\.(?:jpe?g|jpe|jfif|png|apng|gif|webp|avif|tiff?|heic|heif|bmp)$/i

/**
 * All pictures in a folder and its subfolders, except hidden ones. Links to files count, links to folders are not
 * followed, since they could form a loop.
 * @throws a system error when the folder itself cannot be read
 */
export async function findPictures(folder: string): Promise<Found> {
  const pictures: Picture[] = []
  const problems: string[] = []

  async function search(within: string): Promise<void> {
    const entries = await readdir(join(folder, within), { withFileTypes: true })
    entries.sort((one, other) => (one.name < other.name ? -1 : 1))
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue
      const file = within === '' ? entry.name : `${within}/${entry.name}`
      try {
        if (entry.isDirectory()) await search(file)
        else if (looksLikePicture.test(entry.name)) await add(file)
      } catch (error) {
        problems.push(fileErrorText(error) ?? `Cannot use ${file}: ${errorText(error)}`)
      }
    }
  }

  async function add(file: string): Promise<void> {
    const facts = await stat(join(folder, file))
    if (!facts.isFile()) return
    pictures.push({ file, bytes: facts.size, modifiedMs: Math.round(facts.mtimeMs) })
  }

  await search('')
  return { pictures, problems }
}
