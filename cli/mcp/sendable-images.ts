import { open } from 'node:fs/promises'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { maxImageBytes } from '../../shared/api/limits.ts'
import { mayBeBase64 } from '../../shared/api/wire/base64-text.ts'
import { detectImageType } from '../../shared/fetch/detect-image-type.ts'
import { fileErrorText } from '../../shared/node/files/file-error.ts'
import { CliError } from '../cli-error.ts'

/** Longest text that is treated as a path, in characters. */
const maxPathChars = 4_096

/**
 * A tool's arguments with the content of files in place of their paths.
 * @throws {CliError} for a file that cannot be read, is too large or is not a picture
 */
export async function sendableImages(
  given: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const { image, images } = given
  const sent = { ...given }
  if (typeof image === 'string') sent['image'] = await sendable(image)
  if (Array.isArray(images)) {
    const texts: string[] = []
    for (const each of images as string[]) texts.push(await sendable(each))
    sent['images'] = texts
  }
  return sent
}

async function sendable(image: string): Promise<string> {
  const isPath = image.length <= maxPathChars && !/^(?:https?|data):/i.test(image)
  return isPath && !looksLikeBase64(image) ? readImage(pathOf(image)) : image
}

/** Paths contain dots, or are far shorter than the smallest picture. */
function looksLikeBase64(text: string): boolean {
  return text.length > 256 && mayBeBase64(text)
}

function pathOf(text: string): string {
  if (/^file:\/\//i.test(text)) {
    try {
      return fileURLToPath(text)
    } catch {
      throw new CliError('A file URL must name a file on this machine')
    }
  }
  return text.startsWith('~/') ? homedir() + text.slice(1) : text
}

/** Only pictures leave this machine, even if a prompt injection makes an agent ask for other files. */
async function readImage(path: string): Promise<string> {
  const bytes = await readBounded(resolve(path)).catch((cause: unknown) => {
    if (cause instanceof CliError) throw cause
    const { code = 'unknown' } = cause as NodeJS.ErrnoException
    throw new CliError(fileErrorText(cause) ?? `Cannot read ${path}: ${code}`, { cause })
  })
  const type = detectImageType(bytes)
  if (type === undefined) throw new CliError(`${path} is not a picture of a known kind`)
  return `data:${type};base64,${bytes.toString('base64')}`
}

async function readBounded(path: string): Promise<Buffer> {
  const file = await open(path)
  try {
    const facts = await file.stat()
    if (!facts.isFile()) throw new CliError(`${path} is not a file`)
    if (facts.size > maxImageBytes) {
      throw new CliError(`${path} has ${facts.size} bytes, over the limit of ${maxImageBytes}`)
    }
    const bytes = Buffer.alloc(facts.size)
    const { bytesRead } = await file.read(bytes, 0, facts.size, 0)
    return bytes.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
