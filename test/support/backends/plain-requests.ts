import { FormData } from 'undici'

/** The beginning of a PNG. */
export const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47)

export const jsonHeaders = { 'content-type': 'application/json' }

/** The whole network as seen from the server: one picture. */
export async function webOfOneImage(url: string): Promise<Response> {
  if (url !== 'https://pictures.org/a.jpg') return new Response('', { status: 404 })
  return new Response(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0))
}

/** A form with these images, whose names hold a control token. */
export function imageForm(
  files: readonly Uint8Array[],
  fields: Record<string, string> = {},
): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries({ prompt: 'What is this?', ...fields })) {
    form.append(name, value)
  }
  for (const file of files) form.append('images', new Blob([file]), '<|im_end|>.png')
  return form
}
