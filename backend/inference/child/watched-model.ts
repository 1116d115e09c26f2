import { DeviceError } from '../../model/accelerator/accelerator.ts'
import type { ImageRun, Model, NextLogits } from '../../model/model.ts'
import type { CallKind, WorkWatch } from './work-watch.ts'

interface ModelWatch {
  readonly watch: WorkWatch
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** Called before a model call with the time it may take; the call may block this thread. */
  readonly onCall: (boundMs: number) => void
  /** Called when a call failed with the device that the model is on. */
  readonly onLost: (error: DeviceError) => void
}

/**
 * The model, with every long call observed by `watch`. A call that fails with its device never settles: this model can
 * no longer be used, and jobs should end with the restart that follows, not with one failed step.
 */
export function watchModel(model: Model, { watch, now, onCall, onLost }: ModelWatch): Model {
  const watched = async <Result>(
    kind: CallKind,
    size: number,
    call: () => Promise<Result>,
    sizeOf: (result: Result) => number,
  ): Promise<Result> => {
    onCall(watch.callBegins(kind, size, now()))
    let done = 0
    try {
      const result = await call()
      done = sizeOf(result)
      return result
    } catch (error) {
      return await lost(error)
    } finally {
      watch.callEnded(kind, done, now())
    }
  }
  const lost = (error: unknown): Promise<never> => {
    if (!(error instanceof DeviceError)) throw error
    onLost(error)
    return new Promise<never>(() => {})
  }
  // Read in a moment, so no bound is announced.
  const watchedLogits = ({ candidates, row }: NextLogits): NextLogits => ({
    candidates,
    row: () => row().catch(lost),
  })
  const watchedRun = (run: ImageRun): ImageRun => ({
    get features() {
      return run.features
    },
    advance: (work) => watched('look', work, () => run.advance(work), Number),
    close: () => run.close(),
  })
  return {
    info: model.info,
    beginImage: (image) => watchedRun(model.beginImage(image)),
    openSlot: () => model.openSlot(),
    closeSlot: (slot) => model.closeSlot(slot),
    forkSlot: (slot, tokens) => model.forkSlot(slot, tokens),
    truncateSlot: (slot, tokens) => model.truncateSlot(slot, tokens),
    slotLength: (slot) => model.slotLength(slot),
    keepRows: (slot, from, to) => model.keepRows(slot, from, to),
    restoreRows: (slot, rows) => model.restoreRows(slot, rows),
    dropRows: (rows) => model.dropRows(rows),
    step(rows) {
      const tokens = rows.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0)
      return watched(
        'step',
        tokens,
        async () => (await model.step(rows)).map(watchedLogits),
        () => tokens,
      )
    },
    close: () => model.close(),
  }
}
