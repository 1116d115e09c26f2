import { ServiceError } from '../../shared/api/errors.ts'
import { maxBackendHintChars } from '../../shared/api/limits.ts'
import { isVisibleAscii } from '../../shared/api/wire/visible-ascii.ts'

/** With this header a client states which of its requests belong together, such as a conversation or an album. */
export const backendHintHeader = 'x-describe-backend-hint'

/**
 * What the choice of a backend depends on: the client's hint, else `content`.
 * @throws {ServiceError} `invalid_field` for a malformed hint
 */
export function affinityOf(headers: Headers, content: string | undefined): string | undefined {
  const hint = headers.get(backendHintHeader)
  if (hint === null) return content
  if (isVisibleAscii(hint, maxBackendHintChars)) return `hint:${hint}`
  const message = `${backendHintHeader} must be 1 to ${maxBackendHintChars} visible ASCII characters, received ${hint.length}`
  throw new ServiceError('invalid_field', message, { param: backendHintHeader })
}
