import { routes } from '../../../shared/api/routes.ts'
import { timed } from '../measure.ts'

export interface Asked {
  readonly ms: number
  /** Status, and the code of an error. */
  readonly outcome: string
}

/** Where a picture is sent, and with which key. */
export interface Asking {
  readonly url: string
  readonly key: string
  readonly file: Uint8Array
}

/** Uploads a picture, and waits for its description. */
export async function ask({ url, key, file }: Asking): Promise<Asked> {
  const form = new FormData()
  const fields = { prompt: 'Describe this image.', temperature: '0', max_tokens: '30' }
  for (const [field, value] of Object.entries(fields)) form.set(field, value)
  form.set('images', new Blob([new Uint8Array(file)]), 'picture')
  const { method, path } = routes.image
  let outcome = ''
  const ms = await timed(async () => {
    const response = await fetch(url + path, { method, headers: { 'x-api-key': key }, body: form })
    const body = (await response.json()) as { error?: { code: string } }
    outcome = [response.status, body.error?.code].filter(Boolean).join(' ')
  })
  return { ms, outcome }
}
