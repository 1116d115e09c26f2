import type { ImageUrlFields } from './request.ts'

/** The wire form of each non-text form field; a value that does not match is left as text, for zod to refuse. */
const numberText = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/
const formValue = {
  max_tokens: parseNumber,
  temperature: parseNumber,
  top_p: parseNumber,
  top_k: parseNumber,
  min_p: parseNumber,
  repetition_penalty: parseNumber,
  presence_penalty: parseNumber,
  frequency_penalty: parseNumber,
  logit_bias: parseObject,
  seed: parseNumber,
  n: parseNumber,
  logprobs: parseBoolean,
  top_logprobs: parseNumber,
  stream: parseBoolean,
  timeout_ms: parseNumber,
} as const satisfies Partial<Record<keyof ImageUrlFields, (text: string) => unknown>>

function parseNumber(text: string): unknown {
  return numberText.test(text.trim()) ? Number(text) : text
}

function parseBoolean(text: string): unknown {
  switch (text.trim().toLowerCase()) {
    case 'true':
    case '1':
      return true
    case 'false':
    case '0':
      return false
    default:
      return text
  }
}

function parseObject(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Some clients spell a field that occurs several times with brackets. */
const aliases: ReadonlyMap<string, string> = new Map([['image_url[]', 'image_url']])

/**
 * Form fields (all text) as the object a JSON client would have sent. A name that occurs several times becomes
 * an array; an empty optional value counts as not sent, as HTML forms send them.
 */
export function formToObject(fields: Iterable<readonly [string, string]>): Record<string, unknown> {
  const values = new Map<string, unknown>()
  for (const [sentName, text] of fields) {
    const name = aliases.get(sentName) ?? sentName
    if (text === '' && name !== 'prompt' && name !== 'system_prompt' && name !== 'image_url')
      continue
    const parse = Object.hasOwn(formValue, name) && formValue[name as keyof typeof formValue]
    const value = parse ? parse(text) : text
    const earlier = values.get(name)
    if (earlier === undefined) values.set(name, value)
    else if (Array.isArray(earlier)) earlier.push(value)
    else values.set(name, [earlier, value])
  }
  return Object.fromEntries(values)
}
