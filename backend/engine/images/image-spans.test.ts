import { describe, expect, it } from 'vitest'
import { hostFeatures } from '../../model/host-features.ts'
import { featuresWithin, findImageSpans } from './image-spans.ts'

const info = { imageTokenId: 9, mergeSize: 2 }
const image = (rows: number, columns: number) => ({
  patches: new Uint8Array(),
  gridHw: [rows, columns] as const,
})

describe('findImageSpans()', () => {
  it('finds images apart and side by side', () => {
    const promptIds = Int32Array.of(1, 9, 9, 2, 9, 9, 9)
    const images = [image(2, 4), image(2, 2), image(4, 2)]
    expect(findImageSpans({ promptIds, images }, info)).toEqual([
      { start: 1, tokens: 2 },
      { start: 4, tokens: 1 },
      { start: 5, tokens: 2 },
    ])
  })

  it.each([
    ['too few placeholders', [9], [image(2, 4)]],
    ['a gap between placeholders', [9, 1, 9], [image(2, 4)]],
    ['a placeholder left over', [9, 9, 1, 9], [image(2, 4)]],
    ['no placeholder', [1, 2], [image(2, 2)]],
  ])('refuses %s', (_, ids, images) => {
    expect(() => findImageSpans({ promptIds: Int32Array.from(ids), images }, info)).toThrow(
      RangeError,
    )
  })
})

describe('featuresWithin()', () => {
  const spans = [
    { start: 2, tokens: 3 },
    { start: 6, tokens: 1 },
  ]
  const features = [Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(7, 8)]
  const within = (start: number, count: number) =>
    featuresWithin(spans, features, start, count).map((span) => [
      span.at,
      ...hostFeatures(span.features),
    ])

  it('gives whole images with their place in the chunk', () => {
    expect(within(1, 7)).toEqual([
      [1, 1, 2, 3, 4, 5, 6],
      [5, 7, 8],
    ])
  })

  it('cuts an image where the chunk is cut', () => {
    expect(within(0, 3)).toEqual([[2, 1, 2]])
    expect(within(3, 2)).toEqual([[0, 3, 4, 5, 6]])
    expect(within(3, 4)).toEqual([
      [0, 3, 4, 5, 6],
      [3, 7, 8],
    ])
  })

  it('gives nothing where there is only text', () => {
    expect(within(0, 2)).toEqual([])
    expect(within(5, 1)).toEqual([])
  })
})
