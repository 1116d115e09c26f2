import { fileURLToPath } from 'node:url'
import {
  createFormatCompiler,
  type FormatCompiler,
} from '../../../backend/processor/tasks/format-compiler.ts'

/** Starts its thread when the first schema comes. */
export function createTestFormats(): FormatCompiler {
  const worker = new URL('../../../backend/grammar/compile/compile-worker.ts', import.meta.url)
  return createFormatCompiler({ worker: fileURLToPath(worker), tenantWeights: new Map() })
}
