import sharp from 'sharp'

/** A picture of which anybody would say certain words. */
export interface KnownPicture {
  readonly name: string
  readonly png: Uint8Array
  readonly words: readonly string[]
}

/** Pixels per side: enough for a shape to be unmistakable, and few tokens. */
const side = 112

const drawings = [
  {
    name: 'a red circle on white',
    background: 'white',
    shape: '<circle cx="56" cy="56" r="30" fill="red"/>',
    words: ['red', 'circle', 'white'],
  },
  {
    name: 'a blue square on white',
    background: 'white',
    shape: '<rect x="28" y="28" width="56" height="56" fill="blue"/>',
    words: ['blue', 'square', 'white'],
  },
  {
    name: 'a green triangle on white',
    background: 'white',
    shape: '<polygon points="56,24 90,88 22,88" fill="green"/>',
    words: ['green', 'triangle', 'white'],
  },
] as const

export function drawPictures(): Promise<KnownPicture[]> {
  return Promise.all(
    drawings.map(async ({ name, background, shape, words }) => {
      const square = `<rect width="${side}" height="${side}" fill="${background}"/>`
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}">${square}${shape}</svg>`
      return { name, words, png: await sharp(Buffer.from(svg)).png().toBuffer() }
    }),
  )
}

/** The words that an answer lacks. */
export function missingWords(text: string, words: readonly string[]): string[] {
  const lower = text.toLowerCase()
  return words.filter((word) => !lower.includes(word))
}
