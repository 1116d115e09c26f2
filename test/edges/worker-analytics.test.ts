import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { MeasuredCall } from '../../edge/calls/observe/measure-call.ts'
import { type PointDataset, pointMeasure } from '../../edge/worker/analytics.ts'

type Point = Parameters<PointDataset['writeDataPoint']>[0]

const call: MeasuredCall = {
  route: 'image',
  status: 200,
  errorCode: undefined,
  ms: 120,
  phases: [
    { name: 'authenticate', from: 0, to: 1 },
    { name: 'backend', from: 10, to: 90 },
    { name: 'relay', from: 90, to: 120 },
  ],
  usage: { prompt_tokens: 90, image_tokens: 70, completion_tokens: 12 },
  images: 2,
}

function pointsOf(calls: readonly MeasuredCall[], keyAgeMs = 1_500): Point[] {
  const points: Point[] = []
  const measure = pointMeasure({ writeDataPoint: (point) => points.push(point) }, () => keyAgeMs)
  for (const each of calls) {
    measure.began()
    measure.ended(each)
  }
  return points
}

/** What docs/operations.md calls a column, as `double7`. */
function columns(): ReadonlyMap<string, string> {
  const rows = readFileSync('docs/operations.md', 'utf8').matchAll(
    /^\| `((?:blob|double)\d+)` +\| (.*?) +\|$/gm,
  )
  return new Map([...rows].map(([, column = '', says = '']) => [column, says]))
}

describe('pointMeasure()', () => {
  it('writes one point for each call', () => {
    expect(pointsOf([call])).toEqual([
      {
        indexes: ['/generate/image'],
        blobs: ['/generate/image', '200', 'none'],
        doubles: [120, 1, 0, 0, 0, 80, 30, 90, 70, 12, 2, 1_500],
      },
    ])
  })

  it('records refusals by their code, paths without a route, and missing knowledge', () => {
    const refused = { ...call, route: undefined, status: 404, errorCode: 'not_found' as const }
    const [point] = pointsOf([{ ...refused, usage: undefined, images: 0, phases: [] }], Infinity)
    expect(point!.blobs).toEqual(['other', '404', 'not_found'])
    expect(point!.doubles).toEqual([120, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1])
  })

  it('has the columns that docs/operations.md lists, within what a dataset takes', () => {
    const [{ blobs, doubles } = { blobs: [], doubles: [] }] = pointsOf([call])
    const written = [
      ...blobs.map((_, at) => `blob${at + 1}`),
      ...doubles.map((_, at) => `double${at + 1}`),
    ]
    expect([...columns().keys()]).toEqual(written)
    expect(Math.max(blobs.length, doubles.length)).toBeLessThanOrEqual(20)
  })
})
