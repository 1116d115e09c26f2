import { hexOf } from '../../shared/bytes/hex.ts'

/**
 * A key is `dsk_<id>_<secret>_<check>`. The prefix lets scanners for leaked secrets recognise it. The check is keyed
 * with a secret of the store, so nobody else can make a key that is worth looking up.
 */
const pattern = /^dsk_([0-9a-z]{12})_([0-9A-Za-z]{43})_([0-9A-Za-z]{8})$/

const lowercase = '0123456789abcdefghijklmnopqrstuvwxyz'
const alphanumeric = `${lowercase}ABCDEFGHIJKLMNOPQRSTUVWXYZ`

/** 62 bits: two ids never collide by chance. */
const idLength = 12
/** 256 bits: cannot be guessed, so the store needs no slow hash. */
const secretLength = 43
/** 47 bits: a made-up key passes once in 10^14 attempts, and even then has no record. */
const checkLength = 8

export interface ParsedKey {
  readonly id: string
  /** The part that `check` covers. */
  readonly body: string
  readonly check: string
}

/** Splits a key; needs no store. @returns undefined for anything that cannot be one */
export function parseKey(text: string): ParsedKey | undefined {
  const match = pattern.exec(text)
  if (match === null) return undefined
  const [, id = '', secret = '', check = ''] = match
  return { id, body: `${id}_${secret}`, check }
}

/** Whether this installation made the key. Takes the same time wherever the difference is. */
export async function hasGoodCheck(key: ParsedKey, checkSecret: string): Promise<boolean> {
  return equalText(await checkOf(key.body, checkSecret), key.check)
}

/** A new key. @param id of the key whose secret is replaced; a new one by default */
export async function makeKey(
  checkSecret: string,
  id: string = randomText(lowercase, idLength),
): Promise<{ readonly id: string; readonly text: string; readonly hash: string }> {
  const body = `${id}_${randomText(alphanumeric, secretLength)}`
  const text = `dsk_${body}_${await checkOf(body, checkSecret)}`
  return { id, text, hash: await hashKey(text) }
}

const encoder = new TextEncoder()

/** SHA-256, hexadecimal: all that a store keeps of a key. */
export async function hashKey(text: string): Promise<string> {
  return hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text))))
}

/** Compares texts of known length in a time that does not depend on where they differ. */
export function equalText(left: string, right: string): boolean {
  let difference = left.length ^ right.length
  for (let at = 0; at < left.length; at += 1) {
    difference |= left.charCodeAt(at) ^ right.charCodeAt(at)
  }
  return difference === 0
}

/** Letters and digits, each equally likely. */
export function randomSecret(): string {
  return randomText(alphanumeric, secretLength)
}

/** HMAC-SHA-256. */
export async function hmacOf(text: string, secret: string): Promise<Uint8Array> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const bytes = encoder.encode(secret)
  const key = await crypto.subtle.importKey('raw', bytes, algorithm, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(text)))
}

/** The HMAC, shortened to `checkLength` letters and digits. */
async function checkOf(body: string, checkSecret: string): Promise<string> {
  const code = await hmacOf(body, checkSecret)
  return Array.from(code.subarray(0, checkLength), (byte) => alphanumeric[byte % 62]).join('')
}

function randomText(alphabet: string, length: number): string {
  // Bytes from here on would make the first letters more likely.
  const ceiling = 256 - (256 % alphabet.length)
  let text = ''
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length - text.length))) {
      if (byte < ceiling) text += alphabet[byte % alphabet.length]
    }
  }
  return text
}
