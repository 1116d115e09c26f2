import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'

/** The folder with `cases.json`, which explains its fields in `how_to_run`, and with the files it names. */
export const caseFolder = process.env['CASES'] ?? 'test/cases'

/** One request on which some server failed, and the correct answer. */
export interface Case {
  readonly id: string
  readonly kind: string
  /** Set where it takes more than the product as run by `npm start`. */
  readonly server?: unknown
  readonly request: CaseRequest
  /** Answers of a picture server at a public address, by path. */
  readonly upstream?: Readonly<
    Record<string, { readonly head: string; readonly body_file: string }>
  >
  readonly expect: Expectation & {
    readonly any_of?: readonly Expectation[]
    readonly max_ms?: number
  }
}

interface CaseRequest {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly fields?: Readonly<Record<string, string>>
  readonly files?: readonly {
    readonly field: string
    readonly file?: string
    readonly made_by?: string
  }[]
  readonly body?: string
  readonly body_file?: string
  readonly body_rule?: {
    readonly prefix: string
    readonly repeat: string
    readonly times: number
    readonly suffix: string
  }
  readonly json?: unknown
}

interface Expectation {
  readonly status?: number
  readonly status_class?: number | null
  readonly output?: string
  readonly code?: string
  readonly content_type?: string
  readonly prompt_tokens?: number
  readonly message_lacks?: string
}

/** The answer to a case. */
export interface CaseAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

export function readCases(): readonly Case[] {
  return (JSON.parse(readFileSync(join(caseFolder, 'cases.json'), 'utf8')) as { cases: Case[] })
    .cases
}

/** The bytes of a file named by a case. */
function caseFile(name: string): Buffer<ArrayBuffer> {
  return readFileSync(join(caseFolder, 'files', name))
}

/** The body of a case and its content type. @param upstream origin of the picture server */
export async function caseBody(
  { request }: Case,
  upstream = '',
): Promise<{ readonly type: string | undefined; readonly bytes: Buffer }> {
  const type = request.headers?.['content-type']
  if (request.body_file !== undefined) return { type, bytes: caseFile(request.body_file) }
  if (request.body !== undefined) return { type, bytes: Buffer.from(request.body) }
  if (request.body_rule !== undefined) return { type, bytes: repeatedBody(request.body_rule) }
  if (request.json !== undefined) {
    const text = JSON.stringify(request.json).replaceAll('{upstream}', upstream)
    return { type: type ?? 'application/json', bytes: Buffer.from(text) }
  }
  return formBody(request)
}

function repeatedBody({ prefix, repeat, times, suffix }: NonNullable<CaseRequest['body_rule']>) {
  const [before, file, after] = suffix.split(/\{file:(.+?)\}/)
  const start = Buffer.from(prefix + repeat.repeat(times) + (before ?? ''))
  return Buffer.concat([start, ...(file ? [caseFile(file)] : []), Buffer.from(after ?? '')])
}

async function formBody({ fields, files }: CaseRequest) {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields ?? {})) form.append(name, value)
  for (const { field, file } of files ?? []) {
    if (file !== undefined) form.append(field, new Blob([caseFile(file)]), file)
  }
  const encoded = new Response(form)
  const type = encoded.headers.get('content-type') ?? undefined
  return { type, bytes: Buffer.from(await encoded.arrayBuffer()) }
}

/** Fails unless the answer is one of those that the case allows. */
export function expectCase(wanted: Case['expect'], answer: CaseAnswer): void {
  const outcomes = (wanted.any_of ?? [wanted]).map((allowed) => problemsOf(allowed, answer))
  const best = outcomes.toSorted((a, b) => a.length - b.length)[0]
  expect(best, `${answer.status} ${answer.body.slice(0, 500)}`).toEqual([])
}

function problemsOf(wanted: Expectation, { status, contentType, body }: CaseAnswer): string[] {
  const told = readAnswer(body)
  const checks: [name: keyof Expectation, holds: boolean][] = [
    ['status', wanted.status === undefined || wanted.status === status],
    ['status_class', !wanted.status_class || Math.trunc(status / 100) === wanted.status_class],
    ['output', wanted.output === undefined || wanted.output === told.output],
    ['code', wanted.code === undefined || wanted.code === told.error?.code],
    ['content_type', contentType.startsWith(wanted.content_type ?? '')],
    ['prompt_tokens', [undefined, told.usage?.prompt_tokens].includes(wanted.prompt_tokens)],
    ['message_lacks', !wanted.message_lacks || !told.error?.message.includes(wanted.message_lacks)],
  ]
  return checks
    .filter(([, holds]) => !holds)
    .map(([name]) => `${name} is not ${String(wanted[name])}`)
}

interface Answer {
  readonly output?: string
  readonly usage?: { readonly prompt_tokens: number }
  readonly error?: { readonly code: string; readonly message: string }
}

function readAnswer(body: string): Answer {
  try {
    return JSON.parse(body) as Answer
  } catch {
    return {}
  }
}
