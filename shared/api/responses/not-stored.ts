import { ServiceError } from '../errors.ts'

/** The answer to `GET /v1/responses/{id}`: what was once answered cannot be retrieved. */
export function notStored(): ServiceError {
  const message = 'Responses are not stored here; send earlier turns along as input instead'
  return new ServiceError('not_found', message, { param: 'id' })
}
