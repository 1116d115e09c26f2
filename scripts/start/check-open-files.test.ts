import { describe, expect, it } from 'vitest'
import { checkOpenFiles } from './check-open-files.ts'

const settings = (edgeKind: 'node' | 'worker') => ({
  edgeKind,
  backend: { host: 'localhost', port: 0, threads: 2 },
})

describe('checkOpenFiles()', () => {
  it.each([
    ['node', 95, 'only 95 files open (ulimit -n); at least 96 are needed'],
    ['worker', 87, 'only 87 files open (ulimit -n); at least 88 are needed with 2 threads'],
  ] as const)('names what EDGE=%s needs', (edgeKind, openFiles, message) => {
    expect(() => checkOpenFiles(openFiles, settings(edgeKind))).toThrow(message)
    expect(() => checkOpenFiles(openFiles + 1, settings(edgeKind))).not.toThrow()
  })

  it('asks for nothing where the limit is unknown', () => {
    expect(() => checkOpenFiles(undefined, settings('node'))).not.toThrow()
  })
})
