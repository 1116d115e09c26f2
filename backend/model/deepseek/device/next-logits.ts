import type { Accelerator, Tensors } from '../../accelerator/accelerator.ts'
import type { NextLogits } from '../../model.ts'
import { deviceNames } from './device-names.ts'

/** The logits of a run's sampled rows: candidates come to the host, all others stay until they are asked for. */
export function nextLogits(accelerator: Accelerator, outputs: Tensors): NextLogits[] {
  const floats = (name: string) => outputs[name]!.data as Float32Array
  const [rows, count] = outputs[deviceNames.topLogits]!.dims as [number, number]
  const logits = floats(deviceNames.topLogits)
  const ids = floats(deviceNames.topIds)
  const logSums = floats(deviceNames.logSum)
  return Array.from({ length: rows }, (_, row) => {
    const [from, to] = [row * count, (row + 1) * count]
    return {
      candidates: {
        ids: Int32Array.from(ids.subarray(from, to)),
        logits: logits.subarray(from, to),
        logSum: logSums[row]!,
      },
      row: () => accelerator.readRow(outputs[deviceNames.logits]!, row),
    }
  })
}
