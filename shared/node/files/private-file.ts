import { open, rename } from 'node:fs/promises'

/** Writes a file only its owner can read, atomically. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}`
  const file = await open(temporary, 'w', 0o600)
  try {
    // A file left over from a crash keeps its old mode.
    await file.chmod(0o600)
    await file.writeFile(text)
  } finally {
    await file.close()
  }
  await rename(temporary, path)
}
