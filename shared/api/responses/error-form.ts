import type { ErrorForm } from '../doors/renderer.ts'
import { errorBody, errorKinds, type ErrorCode, type ServiceError } from '../errors.ts'
import { emptyResponse, formatResponseEvent } from './response-object.ts'

/** Our codes for which the API has one of its own; for all others the type decides. */
const words: Partial<Record<ErrorCode, string>> = {
  invalid_image: 'invalid_image',
  empty_image: 'invalid_image',
  image_too_large: 'image_too_large',
  unsupported_image: 'unsupported_image_media_type',
  image_fetch_failed: 'failed_to_download_image',
  image_fetch_timeout: 'failed_to_download_image',
}

/** Errors in the form of OpenAI's responses. Some of its clients reject a parameter that is null. */
export const responsesErrors: ErrorForm = {
  body: errorBodyOf,
  streamed(error, requestId, said) {
    const last = [...said.matchAll(/"sequence_number":(\d+)/g)].at(-1)?.[1]
    const response = emptyResponse(requestId)
    if (last !== undefined) return failedEvents(error, requestId, Number(last) + 1, response)
    // Clients ignore a response that was never created.
    const created = formatResponseEvent('response.created', 0, { response })
    return created + failedEvents(error, requestId, 1, response)
  },
}

/**
 * The end of a failed stream: two events, because each official client notices only one of them.
 * @param next number of the first
 * @param response the part of it that was sent
 */
export function failedEvents(
  error: ServiceError,
  requestId: string,
  next: number,
  response: object,
): string {
  const { code, message } = error
  const failed = { ...response, status: 'failed', error: { code: wordOf(error), message } }
  const body = errorBodyOf(error, requestId)
  return (
    formatResponseEvent('response.failed', next, { response: failed }) +
    formatResponseEvent('error', next + 1, { code, message, param: body.error.param, ...body })
  )
}

function errorBodyOf(error: ServiceError, requestId: string) {
  const body = errorBody(error, requestId)
  return { error: { ...body.error, param: error.param ?? '' } }
}

function wordOf({ code }: ServiceError): string {
  const word = words[code]
  if (word !== undefined) return word
  switch (errorKinds[code].type) {
    case 'rate_limit_error':
      return 'rate_limit_exceeded'
    case 'invalid_request_error':
      return 'invalid_prompt'
    case 'authentication_error':
    case 'permission_error':
    case 'server_error':
      return 'server_error'
  }
}
