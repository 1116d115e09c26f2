import { ServiceError } from '../../shared/api/errors.ts'
import type { WireError } from './protocol.ts'

export function toWire({ code, message, param, retryAfterSeconds }: ServiceError): WireError {
  return { code, message, param, retryAfterSeconds }
}

export function fromWire({ code, message, param, retryAfterSeconds }: WireError): ServiceError {
  return new ServiceError(code, message, {
    ...(param !== undefined && { param }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  })
}
