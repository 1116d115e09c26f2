import type { ImagePart } from '../../shared/conversation/conversation.ts'
import type { FetchOptions } from '../../shared/fetch/fetch-image.ts'
import { fetchImages } from '../../shared/fetch/fetch-images.ts'

/**
 * The files of a conversation's images, in order; those that have a URL are fetched.
 * @throws {ServiceError} as `fetchImages`
 */
export async function gatherImages(
  places: readonly ImagePart[],
  web: Pick<FetchOptions, 'transport' | 'hosts'>,
  signal: AbortSignal,
): Promise<Uint8Array[]> {
  const urls = places.flatMap(({ source }) => (source.kind === 'url' ? [source.url] : []))
  const fetched = (await fetchImages(urls, web, signal)).values()
  return places.map(({ source }) =>
    source.kind === 'file' ? source.bytes : fetched.next().value!.bytes,
  )
}
