/** The kinds of image files that are read, by the names sharp gives them. */
export type ImageType = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'heif'

/** First bytes, as Latin-1 text. AVIF is a HEIF container whose brand says so; other HEIF files hold HEVC. */
const signatures: readonly (readonly [ImageType, RegExp])[] = [
  ['jpeg', /^\xff\xd8\xff/],
  ['png', /^\x89PNG\r\n/],
  ['webp', /^RIFF[^]{4}WEBP/],
  ['gif', /^GIF8[79]a/],
  ['tiff', /^(II[*+]\0|MM\0[*+])/],
  ['heif', /^[^]{4}ftyp(avif|avis|mif1[^]{4}([^]{4})*?avif)/],
]

/** Bytes that decide: an AVIF's list of brands ends well before. */
const signatureBytes = 64

/** Tells an image file by its first bytes, whatever its name or media type claim. */
export function imageType(file: Uint8Array): ImageType | undefined {
  const head = Buffer.from(file.subarray(0, signatureBytes)).toString('latin1')
  return signatures.find(([, signature]) => signature.test(head))?.[0]
}
