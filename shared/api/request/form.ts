import { ServiceError } from '../errors.ts'
import { maxFormatChars, maxFormFields, maxLogitBiases } from '../limits.ts'
import { isDeeperThan, maxJsonDepth } from '../wire/parse-json.ts'
import type { ImageUrlFields } from './request.ts'
import { samplingRules } from './sampling-fields.ts'

/**
 * No digit can match two parts of the pattern, so matching takes linear time. No number needs more characters than
 * this.
 */
const numberText = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i
const maxNumberChars = 400

/** Parses each non-text form field. A value that does not match stays text, for zod to reject. */
const formValue: Partial<Record<keyof ImageUrlFields, (text: string) => unknown>> = {
  ...Object.fromEntries(Object.keys(samplingRules).map((rule) => [rule, parseNumber])),
  logit_bias: parseBiases,
  max_tokens: parseNumber,
  n: parseNumber,
  logprobs: parseBoolean,
  top_logprobs: parseNumber,
  response_format: parseFormat,
  stream: parseBoolean,
  timeout_ms: parseNumber,
}

function parseNumber(text: string): unknown {
  const isNumber = text.length <= maxNumberChars && numberText.test(text.trim())
  return isNumber ? Number(text) : text
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

/** Characters of `logit_bias`: the most entries there may be, each with its quotes, digits and some space. */
const maxBiasChars = maxLogitBiases * 64

/** A megabyte of nested brackets takes 0.3 s to parse. */
function parseBiases(text: string): unknown {
  return text.length > maxBiasChars ? text : parseObject(text)
}

function parseObject(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Thousands of nested brackets take long to parse, and no schema that is accepted has them. */
function parseFormat(text: string): unknown {
  const bytes = new TextEncoder().encode(text)
  return text.length > maxFormatChars || isDeeperThan(maxJsonDepth, bytes)
    ? text
    : parseObject(text)
}

/** Fields that may occur several times. Some clients can only express that with brackets. */
const listName = /^(image_url|images?|stop)\[\d{0,9}\]$/

/** `images[]` and `images[0]` are both `images`. */
export function fieldName(sentName: string): string {
  return listName.exec(sentName)?.[1] ?? sentName
}

/** The fields of a URL-encoded form. @throws {ServiceError} `invalid_field` when there are too many */
export function parseUrlForm(bytes: Uint8Array): URLSearchParams {
  let count = 1
  for (let at = bytes.indexOf(ampersand); at >= 0; at = bytes.indexOf(ampersand, at + 1)) {
    count += 1
    if (count <= maxFormFields) continue
    throw new ServiceError('invalid_field', `The form has over ${maxFormFields} fields`)
  }
  return new URLSearchParams(new TextDecoder().decode(bytes))
}

const ampersand = 0x26

/**
 * Form fields (all text) as the object a JSON client would have sent. A name that occurs several times becomes an
 * array. An empty optional value counts as absent, because that is how HTML forms send one.
 */
export function formToObject(fields: Iterable<readonly [string, string]>): Record<string, unknown> {
  const values = new Map<string, unknown>()
  for (const [sentName, text] of fields) {
    const name = fieldName(sentName)
    if (text === '' && name !== 'prompt' && name !== 'system_prompt') continue
    const parse = Object.hasOwn(formValue, name)
      ? formValue[name as keyof ImageUrlFields]
      : undefined
    const value = parse === undefined ? text : parse(text)
    const earlier = values.get(name)
    if (earlier === undefined) values.set(name, value)
    else if (Array.isArray(earlier)) earlier.push(value)
    else values.set(name, [earlier, value])
  }
  return Object.fromEntries(values)
}
