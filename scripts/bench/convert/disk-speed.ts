import {
  closeSync,
  fsyncSync,
  openSync,
  readSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

const bufferBytes = 8 * 1024 * 1024

/** Bytes of the files in a folder, and in those below it. */
export function bytesIn(folder: string): number {
  return filesIn(folder).reduce((sum, file) => sum + statSync(file).size, 0)
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesIn(path) : [path]
  })
}

/** Seconds that one thread takes to read all files of a folder without processing them. */
export function readingTime(folder: string): number {
  const buffer = new Uint8Array(bufferBytes)
  const start = performance.now()
  for (const path of filesIn(folder)) {
    const file = openSync(path, 'r')
    while (readSync(file, buffer) > 0);
    closeSync(file)
  }
  return (performance.now() - start) / 1000
}

/** Seconds that one thread takes to write this many bytes to a new file and flush them to disk. */
export function writingTime(path: string, bytes: number): number {
  // Not zeros, which a file system may leave out.
  const buffer = Uint8Array.from({ length: bufferBytes }, (_, i) => (i * 7919) >> 8)
  const start = performance.now()
  const file = openSync(path, 'w')
  try {
    for (let done = 0; done < bytes;) {
      done += writeSync(file, buffer, 0, Math.min(bufferBytes, bytes - done))
    }
    fsyncSync(file)
    return (performance.now() - start) / 1000
  } finally {
    closeSync(file)
    rmSync(path)
  }
}
