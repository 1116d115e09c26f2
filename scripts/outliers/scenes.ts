import sharp from 'sharp'

/** Pixels per side of a picture. */
const side = 84

const colors = ['red', 'green', 'blue', 'yellow', 'orange', 'purple', 'black', 'white'] as const
const backgrounds = ['white', 'black', 'gray', 'pink', 'cyan', 'brown'] as const

/**
 * Pictures of the kind nano was trained on, one to three shapes on a plain background; the same seed gives the same
 * pictures.
 */
export async function drawScenes(count: number, seed: number): Promise<Uint8Array[]> {
  const random = generator(seed)
  const scenes: Uint8Array[] = []
  for (let i = 0; i < count; i++) {
    scenes.push(
      await sharp(Buffer.from(sceneSvg(random)))
        .png()
        .toBuffer(),
    )
  }
  return scenes
}

/** Numbers in 0..1 (mulberry32). */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function sceneSvg(random: () => number): string {
  const below = (limit: number) => Math.floor(random() * limit)
  const background = backgrounds[below(backgrounds.length)]!
  const cells = new Set<number>()
  for (let left = 1 + below(3); left > 0; left--) cells.add(below(9))
  const shapes = [...cells].map((cell) => {
    const usable = colors.filter((color) => color !== background)
    const radius = random() < 0.5 ? 7 : 12
    const [x, y] = [14 + 28 * (cell % 3), 14 + 28 * Math.floor(cell / 3)]
    return shapeSvg(below(4), { x, y, radius }, usable[below(usable.length)]!)
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}"><rect width="100%" height="100%" fill="${background}"/>${shapes.join('')}</svg>`
}

interface Place {
  readonly x: number
  readonly y: number
  readonly radius: number
}

function shapeSvg(kind: number, { x, y, radius: r }: Place, color: string): string {
  if (kind === 0) return `<circle cx="${x}" cy="${y}" r="${r}" fill="${color}"/>`
  const points = [
    [-r, -r, r, -r, r, r, -r, r],
    [0, -r, r, r, -r, r],
    [-r, -r / 3, r, -r / 3, r, r / 3, -r, r / 3],
  ][kind - 1]!
  const moved = points.map((value, i) => value + (i % 2 === 0 ? x : y))
  const shape = `<polygon points="${moved.join(' ')}" fill="${color}"/>`
  if (kind !== 3) return shape
  const bar = `<rect x="${x - r / 3}" y="${y - r}" width="${(2 * r) / 3}" height="${2 * r}" fill="${color}"/>`
  return shape + bar
}
