import { jsonAnswer } from '../../shared/api/wire/json-answer.ts'
import type { EdgeHandler } from '../calls/context.ts'
import { openApiDocument } from './document.ts'

/** `GET /openapi.json`. The document is created when first requested, which most isolates of a Worker never are. */
export function openApiRoute(): EdgeHandler {
  let document: ReturnType<typeof openApiDocument> | undefined
  return () => jsonAnswer((document ??= openApiDocument()))
}
