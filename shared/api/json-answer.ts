/** An answer of JSON. It ends with a newline, so that a terminal's prompt does not stick to it. */
export function jsonAnswer(
  value: unknown,
  status = 200,
  headers: Headers | Readonly<Record<string, string>> = {},
): Response {
  const all = new Headers(headers)
  all.set('content-type', 'application/json')
  return new Response(`${JSON.stringify(value)}\n`, { status, headers: all })
}
