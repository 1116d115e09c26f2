import type { ErrorBody, ErrorCode } from '../../../../shared/api/errors.ts'

/** Why there is no answer, in words for users. */
export interface Problem {
  readonly title: string
  /** The server's message, or what may help. */
  readonly detail: string
  readonly requestId?: string | undefined
  /** Seconds after which the same question may be asked again. */
  readonly retryAfterSeconds?: number | undefined
  /** Whether another key would help. */
  readonly needsKey?: boolean
}

export class AskFailure extends Error {
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.title)
    this.name = 'AskFailure'
    this.problem = problem
  }
}

const titles: Partial<Record<ErrorCode, string>> = {
  missing_api_key: 'This server needs an API key',
  invalid_api_key: 'This API key is not valid',
  revoked_api_key: 'This API key has been revoked',
  expired_api_key: 'This API key has expired',
  forbidden_scope: 'This API key may not ask this',
  invalid_field: 'One of the settings does not fit',
  invalid_schema: 'This JSON schema is not supported',
  too_many_images: 'There are too many pictures',
  empty_image: 'A picture is empty',
  invalid_image: 'A picture is damaged',
  unsupported_image: 'A picture is of a kind that cannot be read',
  image_too_large: 'A picture is too large',
  image_url_refused: 'The server does not fetch this address',
  image_fetch_failed: 'A picture could not be fetched',
  image_fetch_too_large: 'A picture at an address is too large',
  image_fetch_timeout: 'A picture took too long to fetch',
  context_length_exceeded: 'Question and pictures are too long for the model',
  body_too_large: 'This is more than the server accepts at once',
  rate_limited: 'Too many questions in a short time',
  quota_exceeded: 'What this key may use is used up',
  queue_full: 'The server is busy',
  model_loading: 'The model is still starting',
  engine_restarted: 'The model was restarted while it answered',
  shutting_down: 'The server is stopping',
  backend_unavailable: 'The model cannot be reached',
  deadline_exceeded: 'The answer took too long',
  internal: 'Something went wrong in the server',
}

/** An error of the API. @param retryAfter the header `Retry-After` */
export function problemOf({ error }: ErrorBody, retryAfter: string | null = null): Problem {
  return {
    title: titles[error.code] ?? 'The server refused this',
    detail: error.message,
    requestId: error.request_id,
    retryAfterSeconds: retryAfter === null ? undefined : Number(retryAfter),
    needsKey: error.type === 'authentication_error' || error.code === 'forbidden_scope',
  }
}

/** An answer that does not come from the API but usually from a proxy in between. */
export function foreignProblem(status: number): Problem {
  if (status === 413) {
    const detail = 'Something between this page and the server limits how much can be sent at once.'
    return { title: titles.body_too_large!, detail }
  }
  return {
    title: 'The server cannot be reached',
    detail: `Something on the way to it answered with status ${status}.`,
  }
}

/** No answer at all. @param isOnline whether the device has a network */
export function unreachable(isOnline: boolean): Problem {
  return isOnline
    ? {
        title: 'The server cannot be reached',
        detail: 'It may be restarting. Your question is still here.',
      }
    : {
        title: 'You are offline',
        detail: 'Your question is still here; ask again when you are back.',
      }
}

export const brokenOff: Problem = {
  title: 'The answer broke off',
  detail: 'The connection was lost before the answer was complete.',
}

/** `1 minute`, `12 seconds`: how long to wait. */
export function waitText(seconds: number): string {
  const [count, unit] =
    seconds < 90
      ? [seconds, 'second']
      : seconds < 5_400
        ? [Math.round(seconds / 60), 'minute']
        : [Math.round(seconds / 3_600), 'hour']
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}
