import { ServiceError } from '../../shared/api/errors.ts'
import type { EdgeMiddleware } from '../calls/context.ts'
import type { CorsParts } from './allow-origins.ts'
import { anyOrigin } from './origins-setting.ts'

/**
 * Refuses requests from web pages whose origin is not allowed, as the Model Context Protocol requires against DNS
 * rebinding (streamable HTTP, security warning). Comparing the origin with the request's host would not help, because
 * the attacker's name is in both.
 * @throws {ServiceError} `forbidden_origin`
 */
export function refuseOrigins({ corsOrigins }: CorsParts): EdgeMiddleware {
  return async (c, next) => {
    const origin = c.req.header('origin')
    const isAllowed = (each: string) => each === origin || each === anyOrigin
    if (origin !== undefined && !corsOrigins.some(isAllowed)) {
      const message = 'Web pages may only call this path if CORS_ORIGINS lists their origin'
      throw new ServiceError('forbidden_origin', message)
    }
    await next()
  }
}
