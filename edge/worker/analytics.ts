import { edgeRoutes } from '../../shared/api/routes.ts'
import type { CallMeasure, MeasuredCall } from '../calls/observe/measure-call.ts'
import type { CallPhase } from '../calls/call.ts'

/** A binding of Workers Analytics Engine. Writing does not delay a request and never fails. */
export interface PointDataset {
  writeDataPoint(point: {
    readonly indexes: string[]
    readonly blobs: string[]
    readonly doubles: number[]
  }): void
}

const phases: readonly CallPhase[] = [
  'authenticate',
  'read',
  'reserve',
  'fetch',
  'backend',
  'relay',
]

/**
 * Counts calls where the counts of one isolate would mean nothing: as one point each in a dataset that all isolates
 * write to. `docs/operations.md` lists its columns.
 * @param keyAgeMs how old this isolate's knowledge of keys is; infinite before it has asked for any
 */
export function pointMeasure(dataset: PointDataset, keyAgeMs: () => number): CallMeasure {
  return {
    began: () => undefined,
    ended: (call) => dataset.writeDataPoint(pointOf(call, keyAgeMs())),
    // A point is a call, and this one has its own.
    unrecorded: () => undefined,
  }
}

function pointOf({ route, status, errorCode, usage, ...call }: MeasuredCall, keyAgeMs: number) {
  const path = route === undefined ? 'other' : edgeRoutes[route].path
  const spans = new Map(call.phases.map(({ name, from, to }) => [name, to - from]))
  return {
    // Frequent values of an index are sampled, rare ones are kept.
    indexes: [path],
    blobs: [path, String(status), errorCode ?? 'none'],
    doubles: [
      call.ms,
      ...phases.map((name) => spans.get(name) ?? 0),
      usage?.prompt_tokens ?? 0,
      usage?.image_tokens ?? 0,
      usage?.completion_tokens ?? 0,
      call.images,
      Number.isFinite(keyAgeMs) ? keyAgeMs : -1,
    ],
  }
}
