import { chatErrors } from '../chat/error-form.ts'
import { mcpErrors } from '../mcp/error-form.ts'
import { messagesErrors } from '../messages/error-form.ts'
import { nativeErrors } from '../native/error-form.ts'
import { responsesErrors } from '../responses/error-form.ts'
import type { ErrorForm } from './renderer.ts'

/** The first that a path begins with decides. */
const formsByPrefix: readonly (readonly [prefix: string, form: ErrorForm])[] = [
  ['/v1/messages', messagesErrors],
  ['/v1/responses', responsesErrors],
  ['/v1/', chatErrors],
  ['/mcp', mcpErrors],
]

/** How errors of a path are worded, whether there is something at it or not. */
export function errorFormOf(path: string): ErrorForm {
  return formsByPrefix.find(([prefix]) => path.startsWith(prefix))?.[1] ?? nativeErrors
}
