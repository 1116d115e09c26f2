import type * as z from 'zod'
import type { ErrorCode } from '../../shared/api/errors.ts'
import type { EdgeRouteName } from '../../shared/api/routes.ts'
import type { SchemaName } from './components.ts'

type BodyType = 'application/json' | 'multipart/form-data' | 'application/x-www-form-urlencoded'

/** Server-sent events: what they are, and event name -> schema of its data (`message` where they have no name). */
export interface StreamDoc {
  readonly description: string
  readonly events: Readonly<Record<string, SchemaName>>
}

/** In the order of the document. */
export const routeTags = [
  'Ask',
  'OpenAI',
  'Anthropic',
  'Agents',
  'Administration',
  'Probes',
  'About',
] as const

export interface RouteDoc {
  readonly tag: (typeof routeTags)[number]
  readonly summary: string
  readonly description?: string
  readonly query?: z.ZodObject
  readonly body?: Partial<Record<BodyType, SchemaName>>
  readonly bodyIsOptional?: boolean
  /** A body that is accepted. In forms, `@` stands for the content of a file. */
  readonly example?: unknown
  /** Status -> body. Statuses of errors follow from `errors`. */
  readonly answers: Readonly<Record<number, SchemaName>>
  /** Statuses of answers without a body. */
  readonly emptyAnswers?: readonly number[]
  /** JSON unless given. */
  readonly answerType?: 'application/json' | 'text/plain' | 'text/html' | 'text/javascript'
  /** Other forms of a good answer. */
  readonly otherTypes?: Partial<Record<'text/html' | 'text/css', SchemaName>>
  readonly stream?: StreamDoc
  /** Whether it reads the headers `Idempotency-Key` and `x-describe-backend-hint`, and reports limits. */
  readonly asks?: boolean
  /** In addition to those of every route, and of every route with a key. */
  readonly errors: readonly ErrorCode[]
  /** The body of errors where it has a form of its own. */
  readonly errorBody?: SchemaName
}

/** What the document says about some routes beyond their methods, paths and scopes. */
export type RouteDocs<Name extends EdgeRouteName> = Readonly<Record<Name, RouteDoc>>

/** For every body in JSON. */
export const nullNote = 'In JSON, null counts as not sent. Unknown fields are ignored.'
