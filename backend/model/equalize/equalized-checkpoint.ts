import type { Checkpoint, CheckpointTensor } from '../../checkpoint/checkpoint.ts'
import { bytesOf, rowSize } from '../../graph/weight-source.ts'
import type { ModelConfig } from '../config/model-config.ts'
import { channelLinks, type ChannelLink } from './channel-links.ts'
import type { Shifts } from './balance.ts'
import type { Equalization } from './find-outliers.ts'

/** Row or column -> the power of two it is multiplied with. */
interface TensorShifts {
  readonly rows: Map<number, number>
  readonly columns: Map<number, number>
}

/**
 * A checkpoint that computes the same with the channels of `equalization` moved. Multiplying by powers of two rounds
 * nothing, so in float32 the results are identical to the last bit.
 */
export function equalizedCheckpoint(
  checkpoint: Checkpoint,
  config: ModelConfig,
  equalization: Equalization,
): Checkpoint {
  const all = new Map<string, TensorShifts>()
  for (const link of channelLinks(config)) {
    const shifts = equalization[link.name]
    if (shifts !== undefined) addLink(all, checkpoint, link, shifts)
  }
  return {
    ...checkpoint,
    tensor(name) {
      const shifts = all.get(name)
      const tensor = checkpoint.tensor(name)
      return shifts === undefined ? tensor : shiftedTensor(tensor, shifts)
    },
  }
}

function addLink(
  all: Map<string, TensorShifts>,
  checkpoint: Checkpoint,
  { channels, maker, takers }: ChannelLink,
  shifts: Shifts,
): void {
  const add = (tensor: string, axis: 'rows' | 'columns', index: number, power: number) => {
    const known: TensorShifts = all.get(tensor) ?? { rows: new Map(), columns: new Map() }
    known[axis].set(index, (known[axis].get(index) ?? 0) + power)
    all.set(tensor, known)
  }
  for (const [key, shift] of Object.entries(shifts)) {
    const channel = Number(key)
    const row = maker.kind === 'norm' ? channel : maker.rowOf(channel)
    add(maker.weight, 'rows', row, -shift)
    if (maker.bias !== undefined) add(maker.bias, 'rows', row, -shift)
    for (const { weight, along } of takers) {
      if (along !== 'columns') add(weight, 'rows', along.firstRow + channel, shift)
      else {
        const width = rowSize(checkpoint.tensor(weight))
        for (let c = channel; c < width; c += channels) add(weight, 'columns', c, shift)
      }
    }
  }
}

function shiftedTensor(
  tensor: CheckpointTensor,
  { rows, columns }: TensorShifts,
): CheckpointTensor {
  const width = rowSize(tensor)
  const readRows = async (start: number, count: number) => {
    const values = await tensor.readRows(start, count)
    for (let i = 0; i < count; i++) {
      const row = values.subarray(i * width, (i + 1) * width)
      const power = rows.get(start + i)
      if (power !== undefined) row.forEach((value, c) => (row[c] = value * 2 ** power))
      for (const [column, shift] of columns) row[column]! *= 2 ** shift
    }
    return values
  }
  return {
    dims: tensor.dims,
    type: 'F32',
    readRows,
    readRawRows: async (start, count) => bytesOf(await readRows(start, count)),
  }
}
