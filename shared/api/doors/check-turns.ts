import {
  type ImageDetail,
  imagesOf,
  type ImageSource,
  type Turn,
} from '../../conversation/conversation.ts'
import { ServiceError } from '../errors.ts'
import { maxImages, maxPartsInAll } from '../limits.ts'
import { unsupported } from './unsupported.ts'

/**
 * Rules for every conversation, in each of the APIs.
 * @param param the field that held its messages
 * @throws {ServiceError} `too_many_images`, `unsupported_field` for an answer that should be continued, `invalid_field`
 */
export function checkTurns(turns: readonly Turn[], param: string): void {
  const images = imagesOf(turns)
  if (images.length > maxImages) {
    const message = `At most ${maxImages} images are allowed in one request, received ${images.length}`
    throw new ServiceError('too_many_images', message, { param })
  }
  for (const { role, parts } of turns) {
    const image = parts.find((part) => part.type === 'image')
    if (image === undefined || role === 'user') continue
    const message = `${image.param}: images are only supported in messages of the role user`
    throw new ServiceError('invalid_field', message, { param: image.param })
  }
  if (turns.at(-1)?.role === 'assistant') {
    throw unsupported(
      param,
      'the last message must be the user’s; continuing an answer is not supported here',
    )
  }
}

/**
 * Comes before the messages are looked at, because zod looks at every part even if all are wrong, and writes an error about
 * each of half a million.
 * @param body as it was sent
 * @param param its field for messages
 * @throws {ServiceError} `invalid_field`
 */
export function checkPartCount(body: unknown, param: string): void {
  let parts = 0
  for (const message of listIn(body, param)) parts += listIn(message, 'content').length
  if (parts <= maxPartsInAll) return
  const what = `at most ${maxPartsInAll} parts are allowed in all messages together, received ${parts}`
  throw new ServiceError('invalid_field', `${param}: ${what}`, { param })
}

function listIn(value: unknown, field: string): readonly unknown[] {
  const list = (value as Readonly<Record<string, unknown>> | null | undefined)?.[field]
  return Array.isArray(list) ? list : []
}

/** The content of an image link: where to fetch it, or the image itself. */
export function linkedImage(link: string): ImageSource {
  return /^\s*https?:/i.test(link) ? { kind: 'url', url: link } : { kind: 'data_uri', text: link }
}

/** `auto` and `original` mean the same as `high`: there is nothing in between. */
export function detailOf(detail: string | null | undefined): ImageDetail {
  return detail === 'low' ? 'low' : 'high'
}
