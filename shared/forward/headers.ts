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

/** Headers that belong to one connection and are never copied across a proxy (RFC 9110 section 7.6.1). */
export const hopByHopHeaders: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
