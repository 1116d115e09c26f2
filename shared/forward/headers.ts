/**
 * The edge-to-backend contract beyond the public API: headers the edge adds. The backend believes them only
 * because the connection's client certificate belongs to an allowed name.
 */
export const forwardHeaders = {
  /** Milliseconds left for the whole request; frees the slot should a disconnect go unnoticed. */
  deadlineMs: 'x-deadline-ms',
  /** Id of the API key (never the key), for logs and fairness. */
  keyId: 'x-key-id',
} as const
