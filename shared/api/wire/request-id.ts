/** Header that carries the request id in, between edge and backend, and out again. */
export const requestIdHeader = 'x-request-id'

const acceptable = /^[A-Za-z0-9_-]{8,64}$/

/** Keeps a well-formed id chosen by the caller, otherwise makes a new one. */
export function requestIdFrom(headerValue: string | null | undefined): string {
  if (headerValue != null && acceptable.test(headerValue)) return headerValue
  return `req_${crypto.randomUUID().replaceAll('-', '')}`
}
