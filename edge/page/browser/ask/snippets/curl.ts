import { type AskRequest, formValue } from '../question.ts'

/** The question as a command for curl 7.18 or newer, in a POSIX shell. */
export function curlSnippet(request: AskRequest, origin: string): string {
  const content = request.kind === 'json' ? jsonBody(request.fields) : formParts(request)
  return [
    `curl ${quoted(origin + request.path)}`,
    '-H "X-API-Key: $DESCRIBE_API_KEY"',
    ...content,
  ].join(' \\\n  ')
}

function jsonBody(fields: AskRequest['fields']): string[] {
  return [`-H 'Content-Type: application/json'`, `--data-raw ${quoted(JSON.stringify(fields))}`]
}

function formParts({ fields, files }: AskRequest & { kind: 'form' }): string[] {
  const texts = Object.entries(fields).map(
    ([name, value]) => `--form-string ${quoted(`${name}=${formValue(value)}`)}`,
  )
  return [...texts, ...files.map(({ name }) => `-F ${quoted(`images=@${fileName(name)}`)}`)]
}

/** Quotes keep curl from reading `;` and `,` in a file's name. */
function fileName(name: string): string {
  return /^[\w./ -]+$/.test(name) ? name : `"${name.replaceAll(/["\\]/g, '\\$&')}"`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
