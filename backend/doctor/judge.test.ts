import { describe, expect, it } from 'vitest'
import type { MemoryCheck } from '../memory/memory-check.ts'
import { hasError, reportLines } from './finding.ts'
import {
  judgeCard,
  judgeCardFacts,
  judgeCardSpeed,
  judgeDisk,
  judgeMemory,
  judgeNode,
  judgeProcessor,
  judgeProvider,
  judgeSpeed,
} from './judge.ts'

const tooLittle = {
  fits: false,
  neededBytes: 17e9,
  freeBytes: 8e9,
  parts: { weights: 17e9, cache: 0, images: 0, keptImages: 0, steps: 0, programs: 0 },
  statement: 'it needs 17 GB, and 8 GB are free',
  remedy: 'add memory',
} satisfies MemoryCheck

describe('what the doctor finds', () => {
  it('is an old Node', () => {
    expect(judgeNode('24.22.3').problem).toBeUndefined()
    expect(judgeNode('22.1.0').problem?.text).toContain('Node 24 or newer')
  })

  it('is a processor without the instructions for 8-bit products, where that is known', () => {
    const processor = { model: 'A processor', cores: 8, architecture: 'x64' }
    const withFeatures = (...features: string[]) => judgeProcessor({ ...processor, features })
    expect(withFeatures('sse2', 'avx2', 'avx512_vnni')).toEqual({
      name: 'processor',
      value: 'A processor, 8 cores, avx512_vnni',
    })
    expect(withFeatures('sse2').problem?.severity).toBe('warning')
    expect(judgeProcessor({ ...processor, features: undefined }).problem).toBeUndefined()
    const arm = { ...processor, architecture: 'arm64', features: ['asimd'] }
    expect(judgeProcessor(arm).problem?.text).toContain('asimddp')
  })

  it('is too little memory or disk', () => {
    const room = { freeBytes: 8e9, neededBytes: 17e9 }
    expect(judgeMemory(tooLittle)).toEqual({
      name: 'memory',
      value: tooLittle.statement,
      problem: {
        severity: 'error',
        text: 'the model does not fit, and the backend would not start',
        remedy: 'add memory',
      },
    })
    expect(judgeMemory({ ...tooLittle, fits: true, remedy: undefined })).toEqual({
      name: 'memory',
      value: tooLittle.statement,
    })
    expect(judgeDisk('/state', room).problem?.remedy).toContain('STATE_DIR')
    expect(judgeDisk('/state', undefined)).toEqual({
      name: 'disk',
      value: 'the model is converted',
    })
  })

  it('is a driver that computes on the processor, and a card that cannot be had', () => {
    const adapter = { name: 'llvmpipe', driver: 'libvulkan_lvp.so', memory: undefined }
    expect(judgeCard({ adapter: { ...adapter, kind: 'software' } }).problem?.severity).toBe(
      'warning',
    )
    expect(judgeCard({ adapter: { ...adapter, kind: 'hardware' } }).problem).toBeUndefined()
    expect(judgeCard({ problem: 'this machine has none' })).toEqual({
      name: 'graphics card',
      value: 'none: this machine has none',
    })
    expect(judgeProvider('PROVIDER=webgpu', new Error('no card')).problem?.text).toBe('no card')
  })

  it('is whether a card keeps the largest weight, and what bounds a stream on it', () => {
    const facts = { bytesPerSecond: 4e12, secondsPerLaunch: 8e-6, largestTensorBytes: 2 ** 31 }
    const work = { bytesPerToken: 4e9, launchesPerToken: 1000, largestWeightBytes: 335e6 }
    expect(judgeCardFacts(facts, work).problem).toBeUndefined()
    const small = { ...facts, largestTensorBytes: 2 ** 27 }
    expect(judgeCardFacts(small, work).problem?.severity).toBe('error')
    expect(judgeCardFacts(small, undefined).problem).toBeUndefined()
    expect(judgeCardSpeed(facts, work).value).toContain('at most 125 tokens/s')
    const slow = { ...facts, bytesPerSecond: 400e9 }
    expect(judgeCardSpeed(slow, work).value).toContain('at most 100 tokens/s')
    const before = { bytesPerSecond: 50e9, bytesPerToken: 1e9 }
    expect(judgeCardSpeed(facts, work, before).value).toMatch(
      /^at most 36 tokens\/s a stream: .*, after 20\.0 ms on the CPU$/,
    )
  })

  it('is how fast a stream can be', () => {
    const speed = judgeSpeed({ bytesPerSecond: 30e9, bytesPerToken: 3e9 })
    expect(speed.value).toContain('at most 10 tokens/s')
  })

  it('is reported line by line, with remedies below', () => {
    const findings = [judgeNode('24.0.0'), judgeMemory(tooLittle)]
    expect(hasError(findings)).toBe(true)
    expect(hasError(findings.slice(0, 1))).toBe(false)
    const lines = reportLines(findings)
    expect(lines[0]).toBe('Node    24.0.0')
    expect(lines[2]).toMatch(/^ {8}error: the model does not fit/)
    expect(lines[3]).toMatch(/^ {8}remedy: /)
  })
})
