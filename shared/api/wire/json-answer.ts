/** A JSON answer. It ends with a newline, so that a shell prompt starts on a line of its own. */
export function jsonAnswer(
  value: unknown,
  status = 200,
  headers: Headers | Readonly<Record<string, string>> = {},
): Response {
  return jsonTextAnswer(`${JSON.stringify(value)}\n`, status, headers)
}

/** The same for JSON that is written already. */
export function jsonTextAnswer(
  body: string | Uint8Array<ArrayBuffer>,
  status: number,
  headers: Headers | Readonly<Record<string, string>>,
): Response {
  const all = new Headers(headers)
  all.set('content-type', 'application/json')
  return new Response(body, { status, headers: all })
}
