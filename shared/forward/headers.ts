/**
 * The edge-to-backend contract beyond the public API: headers the edge adds, and one it takes off. The backend believes them only
 * because the connection's client certificate belongs to an allowed name.
 */
export const forwardHeaders = {
  /** Milliseconds left for the whole request; frees the slot should a disconnect go unnoticed. */
  deadlineMs: 'x-deadline-ms',
  /** Id of the API key (never the key), for logs and fairness. */
  keyId: 'x-key-id',
  /**
   * Tokens the call may use at most: prompt, images and the completions of all choices together. Absent where its key
   * has no limit of tokens.
   */
  grantedTokens: 'x-granted-tokens',
  /** Images it may have at most; absent where its key has no limit of images. */
  grantedImages: 'x-granted-images',
  /** Of an answer: how many images the request held. Only who parsed the upload knows. */
  imageCount: 'x-image-count',
  /** What the key may be used for, separated by commas; without it, for everything. */
  keyScopes: 'x-key-scopes',
  /** Of a whole answer: the prompt, image and completion tokens it took. */
  usage: 'x-usage',
  /** Of an error answer with the status by which a backend also refuses an edge's certificate: it is the client's own. */
  refused: 'x-refused',
} as const
