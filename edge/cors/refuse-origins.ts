import { ServiceError } from '../../shared/api/errors.ts'
import type { EdgeMiddleware } from '../calls/context.ts'
import type { CorsParts } from './allow-origins.ts'
import { anyOrigin } from './origins-setting.ts'

/**
 * Refuses requests of web pages whose origin is not allowed, as the Model Context Protocol demands against DNS rebinding
 * (streamable HTTP, security warning). Comparing with the host of the request would not help: the attacker's name is in both.
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
