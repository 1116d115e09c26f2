import type { Checkpoint, CheckpointTensor } from '../../backend/checkpoint/checkpoint.ts'
import { toFloat32 } from '../../backend/checkpoint/half-float.ts'
import { bytesOf, rowSize } from '../../backend/graph/weight-source.ts'
import { expectedTensors } from '../../backend/model/convert/source/inventory.ts'
import type { ModelSource } from '../../backend/model/convert/source/model-source.ts'
import type { ModelConfig } from '../../backend/model/config/model-config.ts'
import { fillTensorRows } from '../../backend/models/synthesise/random-tensor.ts'

/**
 * Weights of any dimensions, filled with random numbers that keep activations near 1.
 * They are generated as they are read, so a full-size model needs no checkpoint of 33 GB.
 */
export function randomSource(config: ModelConfig): ModelSource {
  const { text_config: text, vision_config: vision } = config
  return {
    folder: undefined,
    name: `random-${text.num_hidden_layers}-${vision.num_hidden_layers}-${text.hidden_size}`,
    config,
    preprocessor: {
      inTokenLimit: 4096,
      patchSize: 14,
      mergeSize: 2,
      padInput: true,
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
    },
    readTokens: undefined,
    checkpoint: randomCheckpoint(expectedTensors(config)),
    listFiles: () => Promise.resolve([]),
    filesUnchanged: () => Promise.resolve(true),
  }
}

function randomCheckpoint(shapes: ReadonlyMap<string, readonly number[]>): Checkpoint {
  return {
    shapes,
    types: new Map([...shapes.keys()].map((name) => [name, 'BF16'])),
    files: new Map(),
    tensor: (name) => randomTensor(name, shapes.get(name)!),
    close: () => Promise.resolve(),
  }
}

function randomTensor(name: string, dims: readonly number[]): CheckpointTensor {
  const tensor: CheckpointTensor = {
    dims,
    type: 'BF16',
    readRawRows(start, count) {
      const values = new Uint16Array(count * rowSize(tensor))
      fillTensorRows(values, { name, dims, start })
      return Promise.resolve(bytesOf(values))
    },
    async readRows(start, count) {
      return toFloat32(await tensor.readRawRows(start, count), 'BF16')
    },
  }
  return tensor
}
