import { chatErrors } from '../chat/error-form.ts'
import { mcpErrors } from '../mcp/error-form.ts'
import { messagesErrors } from '../messages/error-form.ts'
import { nativeErrors } from '../native/error-form.ts'
import { responsesErrors } from '../responses/error-form.ts'
import type { ErrorForm } from './renderer.ts'

/** The first one that is a prefix of the path decides. */
const formsByPrefix: readonly (readonly [prefix: string, form: ErrorForm])[] = [
  ['/v1/messages', messagesErrors],
  ['/v1/responses', responsesErrors],
  ['/v1/', chatErrors],
  ['/mcp', mcpErrors],
]

/** The form of errors for a path, whether it exists or not. */
export function errorFormOf(path: string): ErrorForm {
  return formsByPrefix.find(([prefix]) => path.startsWith(prefix))?.[1] ?? nativeErrors
}
