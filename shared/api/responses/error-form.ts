import type { ErrorForm } from '../doors/renderer.ts'
import { errorBody, errorKinds, type ErrorCode, type ServiceError } from '../errors.ts'
import { emptyResponse, formatResponseEvent } from './response-object.ts'

/** Our codes that the API has a word for; the rest goes by type. */
const words: Partial<Record<ErrorCode, string>> = {
  invalid_image: 'invalid_image',
  empty_image: 'invalid_image',
  image_too_large: 'image_too_large',
  unsupported_image: 'unsupported_image_media_type',
  image_fetch_failed: 'failed_to_download_image',
  image_fetch_timeout: 'failed_to_download_image',
}

/** Errors as clients of OpenAI's responses know them: some take no null for a parameter. */
export const responsesErrors: ErrorForm = {
  body: errorBodyOf,
  streamed(error, requestId, said) {
    const told = [...said.matchAll(/"sequence_number":(\d+)/g)].at(-1)?.[1]
    const response = emptyResponse(requestId)
    if (told !== undefined) return failedEvents(error, requestId, Number(told) + 1, response)
    // Clients believe in nothing that was not created before.
    const created = formatResponseEvent('response.created', 0, { response })
    return created + failedEvents(error, requestId, 1, response)
  },
}

/**
 * What a stream that failed ends with. Two events: of the official clients, some notice only the one, some only the other.
 * @param next number of the first
 * @param response as it was told so far
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
