import { type AskRequest, formValue } from '../question.ts'

/** The question as a program for Node 24, which runs TypeScript as it is. */
export function typescriptSnippet(request: AskRequest, origin: string): string {
  const isJson = request.kind === 'json'
  const lines = isJson ? jsonCall(request.fields) : formCall(request)
  return [
    ...(isJson ? [] : [`import { openAsBlob } from 'node:fs'`, '']),
    ...lines.before,
    `const response = await fetch(${quoted(origin + request.path)}, {`,
    `  method: 'POST',`,
    `  headers: {`,
    `    'X-API-Key': process.env.DESCRIBE_API_KEY!,`,
    ...(isJson ? [`    'Content-Type': 'application/json',`] : []),
    `  },`,
    `  body: ${lines.body},`,
    `})`,
    `if (!response.ok) throw new Error(await response.text())`,
    `const { output } = await response.json()`,
    `console.log(output)`,
  ].join('\n')
}

function jsonCall(fields: AskRequest['fields']) {
  const json = JSON.stringify(fields, null, 2).replaceAll('\n', '\n  ')
  return { before: [], body: `JSON.stringify(${json})` }
}

function formCall({ fields, files }: AskRequest & { kind: 'form' }) {
  const texts = Object.entries(fields).map(
    ([name, value]) => `form.append(${quoted(name)}, ${quoted(formValue(value))})`,
  )
  const pictures = files.map(
    ({ name }) => `form.append('images', await openAsBlob(${quoted(name)}), ${quoted(name)})`,
  )
  return { before: ['const form = new FormData()', ...texts, ...pictures, ''], body: 'form' }
}

function quoted(text: string): string {
  return JSON.stringify(text)
}
