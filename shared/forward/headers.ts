/**
 * The contract between edge and backend beyond the public API: headers the edge adds, and one it removes. The backend
 * trusts them only because the connection's client certificate carries an allowed name.
 */
export const forwardHeaders = {
  /** Milliseconds left for the whole request; frees the slot even if a disconnect goes unnoticed. */
  deadlineMs: 'x-deadline-ms',
  /** Id of the API key (never the key), for logs and fairness. */
  keyId: 'x-key-id',
  /**
   * The most tokens the call may use: prompt, images and the completions of all choices together. Absent when its key
   * has no token limit.
   */
  grantedTokens: 'x-granted-tokens',
  /** The most images the call may have; absent when its key has no image limit. */
  grantedImages: 'x-granted-images',
  /** In an answer: the number of images in the request, which only the parser of the upload knows. */
  imageCount: 'x-image-count',
  /** In every answer: the most tokens that the backend's model makes of one image. */
  imageTokens: 'x-image-tokens',
  /** What the key may be used for, separated by commas; without it, for everything. */
  keyScopes: 'x-key-scopes',
  /** Of a whole answer: the prompt, image and completion tokens it took. */
  usage: 'x-usage',
  /** Of an error answer: its code, which the body gives in the form of the client's door. */
  errorCode: 'x-error-code',
} as const
