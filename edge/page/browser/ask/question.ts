import { routes } from '../../../../shared/api/routes.ts'

/** A file of this device, or an address that the server fetches. */
export type Picture =
  | { readonly kind: 'file'; readonly file: File; readonly thumbnail: string | undefined }
  | { readonly kind: 'url'; readonly url: string }

export type ResponseFormat =
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema'
      readonly json_schema: { readonly name: string; readonly schema: unknown }
    }

/** How an answer is generated, by the API's field names; absent fields are left to the server. */
export interface Settings {
  readonly system_prompt?: string
  /** Where the values of omitted numbers come from. */
  readonly preset?: 'model'
  readonly temperature?: number
  readonly top_p?: number
  readonly max_tokens?: number
  readonly seed?: number
  readonly n?: number
  readonly response_format?: ResponseFormat
}

export interface Question {
  readonly prompt: string
  /** All files, or all URLs. */
  readonly pictures: readonly Picture[]
  readonly settings: Settings
}

export type Fields = Readonly<Record<string, unknown>>

/** A question as a request: JSON, or a form whose files are the field `images`. */
export type AskRequest =
  | { readonly path: string; readonly kind: 'json'; readonly fields: Fields }
  | {
      readonly path: string
      readonly kind: 'form'
      readonly fields: Fields
      readonly files: readonly File[]
    }

export function requestOf({ prompt, pictures, settings }: Question): AskRequest {
  const fields = { prompt, ...settings }
  const urls = pictures.flatMap((picture) => (picture.kind === 'url' ? [picture.url] : []))
  const files = pictures.flatMap((picture) => (picture.kind === 'file' ? [picture.file] : []))
  if (files.length > 0) return { path: routes.image.path, kind: 'form', fields, files }
  if (urls.length === 0) return { path: routes.text.path, kind: 'json', fields }
  return { path: routes.imageUrl.path, kind: 'json', fields: { ...fields, image_url: urls } }
}

/** A field as forms carry it: text as it is, everything else as JSON. */
export function formValue(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
