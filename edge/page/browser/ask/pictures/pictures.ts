import { maxImageBytes, maxImages, maxUploadBytes } from '../../../../../shared/api/limits.ts'
import type { Picture } from '../question.ts'

/**
 * Why a picture cannot be added to the existing ones.
 * @returns undefined when it can
 */
export function refusalOf(picture: Picture, present: readonly Picture[]): string | undefined {
  if (present.length >= maxImages) return `One question can have ${maxImages} pictures at most.`
  if (present.some(({ kind }) => kind !== picture.kind)) {
    return 'One question has pictures of this device or pictures at addresses, not both.'
  }
  return picture.kind === 'url' ? refusalOfUrl(picture.url) : refusalOfFile(picture.file, present)
}

function refusalOfUrl(url: string): string | undefined {
  const isWebAddress = URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)
  return isWebAddress ? undefined : 'An address begins with https:// or http://.'
}

function refusalOfFile(
  { name, type, size }: File,
  present: readonly Picture[],
): string | undefined {
  if (type !== '' && !type.startsWith('image/')) return `${name} is not a picture.`
  if (size === 0) return `${name} is empty.`
  if (size > maxImageBytes)
    return `${name} has ${megabytes(size)}; ${megabytes(maxImageBytes)} are allowed.`
  const sizes = present.map((picture) => (picture.kind === 'file' ? picture.file.size : 0))
  const total = sizes.reduce((sum, each) => sum + each, size)
  if (total <= maxUploadBytes) return undefined
  return `All pictures together would have ${megabytes(total)}; ${megabytes(maxUploadBytes)} are allowed.`
}

function megabytes(bytes: number): string {
  return `${Math.ceil((bytes / 1024 / 1024) * 10) / 10} MB`
}

export function nameOf(picture: Picture): string {
  return picture.kind === 'file' ? picture.file.name : picture.url
}
