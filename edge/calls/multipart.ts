import type { FetchedImage } from '../../shared/fetch/fetch-image.ts'
import type { GenerateFields } from '../../shared/api/request/request.ts'

/**
 * The body of `POST /generate/image` from given fields and images (RFC 7578). Images are not copied. Values need no
 * escaping, because nobody can know the boundary in advance.
 */
export function multipartBody(
  fields: GenerateFields,
  images: readonly FetchedImage[],
): { readonly contentType: string; readonly chunks: readonly Uint8Array[] } {
  const boundary = `part-${crypto.randomUUID()}`
  const encoder = new TextEncoder()
  const chunks: Uint8Array[] = []
  const text = (value: string) => chunks.push(encoder.encode(value))

  for (const [name, value] of Object.entries(fields)) {
    for (const field of formTexts(value)) {
      text(`--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${field}\r\n`)
    }
  }
  images.forEach(({ bytes, type }, index) => {
    const disposition = `form-data; name="images"; filename="image-${index + 1}"`
    text(`--${boundary}\r\ncontent-disposition: ${disposition}\r\ncontent-type: ${type}\r\n\r\n`)
    chunks.push(bytes)
    text('\r\n')
  })
  text(`--${boundary}--\r\n`)
  return { contentType: `multipart/form-data; boundary=${boundary}`, chunks }
}

/** A field in the form that `formToObject` reads: a list becomes a repeated field, an object JSON. */
function formTexts(value: GenerateFields[keyof GenerateFields]): string[] {
  if (value === undefined) return []
  if (Array.isArray(value)) return value
  return [typeof value === 'object' ? JSON.stringify(value) : String(value)]
}
