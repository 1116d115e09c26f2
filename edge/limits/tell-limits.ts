import type { EdgeMiddleware } from '../platform.ts'
import { limitHeaders } from './limit-headers.ts'

/** Adds where the key stands with its limits to every answer of a call that was judged by them. */
export const tellLimits: EdgeMiddleware = async (c, next) => {
  await next()
  for (const [name, value] of limitHeaders(c.get('standings') ?? [])) c.res.headers.set(name, value)
}
