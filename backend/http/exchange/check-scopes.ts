import { ServiceError } from '../../../shared/api/errors.ts'
import { imagesOf, type Turn } from '../../../shared/conversation/conversation.ts'
import { forwardHeaders } from '../../../shared/forward/headers.ts'

/** @throws {ServiceError} `forbidden_scope` when the key may not ask this */
export function checkScopes(
  request: { header(name: string): string | undefined },
  turns: readonly Turn[],
): void {
  const header = request.header(forwardHeaders.keyScopes)
  if (header === undefined) return
  const images = imagesOf(turns)
  const needed = new Set(
    images.map(({ source }) => (source.kind === 'url' ? 'image_url' : 'image')),
  )
  const scopes = header.split(',')
  const missing = (needed.size === 0 ? ['text'] : [...needed]).find(
    (each) => !scopes.includes(each),
  )
  if (missing === undefined) return
  throw new ServiceError('forbidden_scope', `The API key lacks the scope ${missing}`)
}
