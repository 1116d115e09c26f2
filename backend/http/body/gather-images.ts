import { ServiceError } from '../../../shared/api/errors.ts'
import type { ImagePart } from '../../../shared/conversation/conversation.ts'
import type { FetchOptions } from '../../../shared/fetch/fetch-image.ts'
import { fetchImages } from '../../../shared/fetch/fetch-images.ts'
import { decodeBase64, decodeDataUri } from './decode-base64.ts'
import type { LiftedJson } from './lifting-reader.ts'

export interface ImageWeb extends Pick<FetchOptions, 'transport' | 'hosts'> {
  /** False where this server must not dial out. */
  readonly enabled: boolean
}

/**
 * The files of a conversation's images, in order: those sent as text are decoded, those with a URL are fetched.
 * @param lifted finds the texts that were lifted out of the request
 * @throws {ServiceError} as `fetchImages` and `decodeDataUri`
 */
export async function gatherImages(
  parts: readonly ImagePart[],
  web: ImageWeb,
  lifted: LiftedJson['lifted'],
  signal: AbortSignal,
): Promise<Uint8Array[]> {
  const files: (Uint8Array | undefined)[] = []
  for (const [index, part] of parts.entries()) {
    files.push(await fileOf(part, `image ${index + 1}`, lifted))
    signal.throwIfAborted()
  }
  const linked = parts.filter(({ source }) => source.kind === 'url')
  if (linked.length > 0 && !web.enabled) {
    const message = 'This server fetches no images from the web: send them in the request'
    throw new ServiceError('image_url_refused', message, { param: linked[0]!.param })
  }
  const urls = linked.flatMap(({ source }) => (source.kind === 'url' ? [source.url] : []))
  const fetched = (await fetchImages(urls, web, signal)).values()
  return files.map((file) => file ?? fetched.next().value!.bytes)
}

async function fileOf(
  { source, param }: ImagePart,
  name: string,
  lifted: LiftedJson['lifted'],
): Promise<Uint8Array | undefined> {
  switch (source.kind) {
    case 'file':
      return source.bytes
    case 'url':
      return undefined
    case 'data_uri':
      return decodeDataUri(lifted(source.text) ?? escaped(source.text), { name, param })
    case 'base64':
      return decodeBase64(lifted(source.text) ?? escaped(source.text), { name, param })
  }
}

/** A short text as it may occur in the JSON. */
function escaped(text: string): Uint8Array[] {
  return [Buffer.from(JSON.stringify(text).slice(1, -1))]
}
