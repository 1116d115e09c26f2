import type { ErrorCode } from '../../shared/api/errors.ts'

/** Errors by where they come from; a route lists the groups that it passes through. */

/** An incomplete HTTP request reaches no route. */
export const beforeRouting = [
  'malformed_request',
  'request_timeout',
  'headers_too_large',
] as const satisfies readonly ErrorCode[]

/** Before or around every route. */
export const anywhere = [
  ...beforeRouting,
  'rate_limited',
  'internal',
] as const satisfies readonly ErrorCode[]

/** Wherever a key is required. */
export const keyed = [
  'missing_api_key',
  'invalid_api_key',
  'revoked_api_key',
  'expired_api_key',
  'forbidden_scope',
  'keys_unavailable',
  'shutting_down',
] as const satisfies readonly ErrorCode[]

export const withBody = [
  'invalid_json',
  'invalid_field',
  'body_too_large',
  'unsupported_media_type',
] as const satisfies readonly ErrorCode[]

/** Routes that only a backend can answer. */
export const fromBackend = [
  'backend_unavailable',
  'model_loading',
] as const satisfies readonly ErrorCode[]

/** Every question. */
export const asking = [
  ...withBody,
  ...fromBackend,
  // From a backend that is called without an edge.
  'client_not_allowed',
  'invalid_schema',
  'context_length_exceeded',
  'quota_exceeded',
  'queue_full',
  'limits_unavailable',
  'engine_restarted',
  'deadline_exceeded',
  'idempotency_conflict',
  'answer_not_kept',
  'idempotency_unavailable',
] as const satisfies readonly ErrorCode[]

export const withImages = [
  'too_many_images',
  'empty_image',
  'invalid_image',
  'unsupported_image',
  'image_too_large',
] as const satisfies readonly ErrorCode[]

export const withUrls = [
  'image_url_refused',
  'image_fetch_failed',
  'image_fetch_too_large',
  'image_fetch_timeout',
] as const satisfies readonly ErrorCode[]

/** Every form. */
export const withForm = ['invalid_multipart'] as const satisfies readonly ErrorCode[]

/** What counting and answering a conversation have in common. */
const reading = [
  ...withImages,
  ...withUrls,
  'unsupported_field',
  'model_not_found',
] as const satisfies readonly ErrorCode[]

/** Every conversation that is answered. */
export const conversation = [...asking, ...reading] as const satisfies readonly ErrorCode[]

/** Every conversation whose tokens are counted. */
export const counting = [
  ...withBody,
  ...fromBackend,
  ...reading,
  'quota_exceeded',
  'limits_unavailable',
  'deadline_exceeded',
] as const satisfies readonly ErrorCode[]
