import { describe, expect, it } from 'vitest'
import { fingerprintOf } from './fingerprint.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

async function ofForm(form: FormData, accept = '*/*') {
  const request = new Request('http://edge', { method: 'POST', body: form, headers: { accept } })
  const body = new Uint8Array(await request.arrayBuffer())
  return fingerprintOf('/generate/image', request.headers, body)
}

function formWith(pixels: Uint8Array<ArrayBuffer>): FormData {
  const form = new FormData()
  form.set('prompt', 'What is it?')
  form.set('images', new Blob([pixels]), 'a.png')
  return form
}

/** @param text with a bar for each boundary */
function ofText(boundary: string, text: string, written = boundary): Promise<string> {
  const headers = new Headers({ 'content-type': `multipart/form-data; boundary=${written}` })
  return fingerprintOf('/generate/image', headers, bytes(text.replaceAll('|', `--${boundary}`)))
}

describe('fingerprintOf()', () => {
  it('is the same for the same form with another boundary', async () => {
    const pixels = crypto.getRandomValues(new Uint8Array(20_000))
    expect(await ofForm(formWith(pixels))).toBe(await ofForm(formWith(pixels)))
    expect(await ofForm(formWith(pixels.with(19_999, 7 ^ pixels[19_999]!)))).not.toBe(
      await ofForm(formWith(pixels)),
    )
  })

  it('takes a boundary for one only where it delimits', async () => {
    const original = await ofText('q', '|\r\n\r\nquick\r\n|--\r\n')
    expect(await ofText('zz', '|\r\n\r\nquick\r\n|--\r\n')).toBe(original)
    const others = await Promise.all([
      ofText('q', '|\r\n\r\nuick\r\n|--\r\n'),
      ofText('q', '|\r\n\r\nquic|k\r\n|--\r\n'),
      ofText('q', '|\r\n\r\nquic\r\n|k\r\n|--\r\n'),
      ofText('q', '\r\n\r\nquick\r\n|--\r\n'),
      ofText('u', '|\r\n\r\nqick\r\n|--\r\n'),
    ])
    expect(new Set([original, ...others]).size).toBe(6)
  })

  it('looks at no more parts than a form may have', async () => {
    const ofParts = (boundary: string, parts: number) =>
      ofText(boundary, `${'|\r\n\r\na\r\n'.repeat(parts)}|--\r\n`)
    expect(await ofParts('q', 128)).toBe(await ofParts('zz', 128))
    expect(await ofParts('q', 1_000)).not.toBe(await ofParts('zz', 1_000))
    expect(await ofParts('q', 1_000)).toBe(await ofParts('q', 1_000))
  })

  it('finds boundaries as those who read the form do', async () => {
    const lineFeeds = '|\n\nquick\n|\n\nbrown\n|--\n'
    const original = await ofText('q', lineFeeds)
    expect(await ofText('zz', lineFeeds)).toBe(original)
    expect(await ofText('z;=z', lineFeeds, '"z;=z"')).toBe(original)
    expect(await ofText('z"z', lineFeeds, '"z\\"z"')).toBe(original)
    const others = await Promise.all([
      ofText('q', lineFeeds.replace('quick', 'qick')),
      ofText('q', lineFeeds.replace('quick\n', 'quick')),
      // Within lines that end in CRLF a bare line feed is content.
      ofText('q', '|\r\n\r\na\n|\r\n|--\r\n'),
      ofText('zz', '|\r\n\r\na\n|\r\n|--\r\n'),
    ])
    expect(new Set([original, ...others]).size).toBe(5)
  })

  it('differs with the path, the media type, the wish for a stream and the body', async () => {
    const headers = (type: string, accept = '*/*') => new Headers({ 'content-type': type, accept })
    const json = headers('application/json')
    const prints = await Promise.all([
      fingerprintOf('/generate/text', json, bytes('{}')),
      fingerprintOf('/generate/image_url', json, bytes('{}')),
      fingerprintOf('/generate/text', headers('text/plain'), bytes('{}')),
      fingerprintOf(
        '/generate/text',
        headers('application/json', 'text/event-stream'),
        bytes('{}'),
      ),
      fingerprintOf('/generate/text', json, bytes('{ }')),
    ])
    expect(new Set(prints).size).toBe(prints.length)
    expect(await fingerprintOf('/generate/text', json, bytes('{}'))).toBe(prints[0])
  })
})
