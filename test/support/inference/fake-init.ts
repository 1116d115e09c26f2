import type { InferenceInit } from '../../../backend/inference/protocol.ts'
import type { FakeChildBehaviour } from './fake-child.ts'

/** The first message of `fake-child.ts`. */
export function fakeInit(behaviour: FakeChildBehaviour = {}): InferenceInit {
  const checkpointDir = JSON.stringify(behaviour)
  return {
    model: {
      checkpointDir,
      modelsDir: '',
      weights: 'q8',
      slots: 4,
      threads: 1,
    },
    engine: {
      queueLimit: 16,
      queueWorkLimit: 1_000_000,
      tenantWeights: new Map(),
      deterministic: false,
      speculates: false,
      caches: { kvTokens: undefined, prefixTokens: Infinity, imageBytes: 1_000_000 },
    },
    memory: { limitBytes: undefined, uploadBytes: 0, decodeBytes: 0 },
  }
}
