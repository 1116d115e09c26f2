/** A JSON answer. It ends with a newline, so that a shell prompt starts on a line of its own. */
export function jsonAnswer(
  value: unknown,
  status = 200,
  headers: Headers | Readonly<Record<string, string>> = {},
): Response {
  const all = new Headers(headers)
  all.set('content-type', 'application/json')
  return new Response(`${JSON.stringify(value)}\n`, { status, headers: all })
}
