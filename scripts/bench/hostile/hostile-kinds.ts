import { hostilePictures, largeUploads } from './hostile-pictures.ts'
import type { HostileKind } from './measure-beside.ts'

/** Milliseconds after which small files have been uploaded and are being decoded; and what each of their bytes adds. */
const uploadedMs = 150
const uploadedMsPerByte = 1e-4

/** Milliseconds after which large files are being uploaded. */
const uploadingMs = 20

/** All kinds whose name contains the text, made one at a time. */
export async function* hostileKinds(only: string): AsyncGenerator<HostileKind> {
  for (const [name, make] of Object.entries(hostilePictures)) {
    if (!name.includes(only)) continue
    const file = await make()
    yield { name, file, waitMs: uploadedMs + uploadedMsPerByte * file.length }
  }
  for (const [kind, make] of Object.entries(largeUploads)) {
    const name = `${kind}, uploading`
    if (name.includes(only)) yield { name, file: await make(), waitMs: uploadingMs }
  }
}
