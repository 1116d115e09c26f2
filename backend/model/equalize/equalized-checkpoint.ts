import type { Checkpoint, CheckpointTensor } from '../../checkpoint/checkpoint.ts'
import { bytesOf, rowSize } from '../../graph/weight-source.ts'
import type { ModelConfig } from '../config/model-config.ts'
import { channelLinks, type ChannelLink } from './channel-links.ts'
import type { Equalization } from './find-outliers.ts'

/** Row or column -> the power of two it is multiplied with. */
interface TensorShifts {
  readonly rows: Map<number, number>
  readonly columns: Map<number, number>
}

/**
 * A checkpoint that computes the same with the channels of `equalization` moved. Multiplying by powers of two rounds
 * nothing, so in float32 the results are identical to the last bit.
 * @param equalization consulted when a tensor is first read; its entries for that tensor must not change afterwards
 */
export function equalizedCheckpoint(
  checkpoint: Checkpoint,
  config: ModelConfig,
  equalization: Equalization,
): Checkpoint {
  const linksOf = new Map<string, ChannelLink[]>()
  for (const link of channelLinks(config)) {
    const takers = link.takers.map(({ weight }) => weight)
    for (const name of [...shiftedMakers(link), ...takers]) {
      if (name !== undefined) linksOf.set(name, [...(linksOf.get(name) ?? []), link])
    }
  }
  return {
    ...checkpoint,
    tensor(name) {
      const tensor = checkpoint.tensor(name)
      const links = linksOf.get(name)
      if (links === undefined) return tensor
      return shiftedTensor(tensor, () => shiftsOf(name, rowSize(tensor), links, equalization))
    },
  }
}

/** Tensors whose rows produce the channels of a link. */
function shiftedMakers({ maker }: ChannelLink): readonly (string | undefined)[] {
  return maker.kind === 'gelu' ? [] : [maker.weight, maker.bias]
}

function shiftsOf(
  name: string,
  width: number,
  links: readonly ChannelLink[],
  equalization: Equalization,
): TensorShifts {
  const all: TensorShifts = { rows: new Map(), columns: new Map() }
  const add = (axis: keyof TensorShifts, index: number, power: number) =>
    all[axis].set(index, (all[axis].get(index) ?? 0) + power)
  for (const link of links) {
    const { channels, maker, takers } = link
    const isMaker = shiftedMakers(link).includes(name)
    for (const [key, shift] of Object.entries(equalization[link.name] ?? {})) {
      const channel = Number(key)
      if (isMaker) add('rows', maker.kind === 'product' ? maker.rowOf(channel) : channel, -shift)
      for (const { weight, along } of takers) {
        if (weight !== name) continue
        if (along !== 'columns') add('rows', along.firstRow + channel, shift)
        else for (let c = channel; c < width; c += channels) add('columns', c, shift)
      }
    }
  }
  return all
}

function shiftedTensor(tensor: CheckpointTensor, shifts: () => TensorShifts): CheckpointTensor {
  const width = rowSize(tensor)
  let known: TensorShifts | undefined
  const readRows = async (start: number, count: number, into?: Float32Array) => {
    known ??= shifts()
    const { rows, columns } = known
    const values = await tensor.readRows(start, count, into)
    if (rows.size === 0 && columns.size === 0) return values
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
