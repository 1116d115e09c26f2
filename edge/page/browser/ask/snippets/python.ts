import { type AskRequest, type Fields, formValue } from '../question.ts'

/** The question as a program for Python 3 with `requests`. */
export function pythonSnippet(request: AskRequest, origin: string): string {
  const content = request.kind === 'json' ? jsonArgument(request.fields) : formArguments(request)
  return [
    `import os`,
    ``,
    `import requests`,
    ``,
    `response = requests.post(`,
    `    ${literal(origin + request.path)},`,
    `    headers={"X-API-Key": os.environ["DESCRIBE_API_KEY"]},`,
    ...content,
    `)`,
    `if not response.ok:`,
    `    raise SystemExit(response.text)`,
    `print(response.json()["output"])`,
  ].join('\n')
}

function jsonArgument(fields: Fields): string[] {
  return [`    json=${literal(fields, '    ')},`]
}

function formArguments({ fields, files }: AskRequest & { kind: 'form' }): string[] {
  const texts = Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, formValue(value)]),
  )
  const pictures = files.map(({ name }) => `        ("images", open(${literal(name)}, "rb")),`)
  return [`    data=${literal(texts, '    ')},`, `    files=[`, ...pictures, `    ],`]
}

/** A JSON value as a Python literal. @param indent of the line where it begins */
function literal(value: unknown, indent = ''): string {
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value !== 'object') return JSON.stringify(value)
  const inner = `${indent}    `
  const isList = Array.isArray(value)
  const items = isList
    ? value.map((item) => literal(item, inner))
    : Object.entries(value).map(
        ([name, item]) => `${JSON.stringify(name)}: ${literal(item, inner)}`,
      )
  const [open, close] = isList ? ['[', ']'] : ['{', '}']
  if (items.length === 0) return open + close
  return `${open}\n${items.map((item) => `${inner}${item},\n`).join('')}${indent}${close}`
}
