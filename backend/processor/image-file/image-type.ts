/** Supported types of image files, by sharp's names. */
export type ImageType = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'heif'

/** First bytes, as Latin-1 text. AVIF is a HEIF container with an AVIF brand; other HEIF files contain HEVC. */
const signatures: readonly (readonly [ImageType, RegExp])[] = [
  ['jpeg', /^\xff\xd8\xff/],
  ['png', /^\x89PNG\r\n/],
  ['webp', /^RIFF[^]{4}WEBP/],
  ['gif', /^GIF8[79]a/],
  ['tiff', /^(II[*+]\0|MM\0[*+])/],
  ['heif', /^[^]{4}ftyp(avif|avis|mif1[^]{4}([^]{4})*?avif)/],
]

/** Bytes that are inspected: an AVIF's list of brands ends well before. */
const signatureBytes = 64

/** Identifies an image file by its first bytes, regardless of its name or declared media type. */
export function imageType(file: Uint8Array): ImageType | undefined {
  const head = Buffer.from(file.subarray(0, signatureBytes)).toString('latin1')
  return signatures.find(([, signature]) => signature.test(head))?.[0]
}
