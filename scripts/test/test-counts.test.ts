import { describe, expect, it } from 'vitest'
import { countTests, summaryLine } from './test-counts.ts'

const report = (passed: number, failed: number) =>
  JSON.stringify({ numPassedTests: passed, numFailedTests: failed, more: 'unused' })

describe('countTests()', () => {
  it('takes the numbers of the report', () => {
    expect(countTests(report(12, 0), true)).toEqual({ passed: 12, failed: 0 })
    expect(countTests(report(12, 3), false)).toEqual({ passed: 12, failed: 3 })
  })

  it('counts any other failure as one', () => {
    expect(countTests(report(12, 0), false)).toEqual({ passed: 12, failed: 1 })
  })

  it.each(['', report(0, 0)])('fails when no test ran: %j', (text) => {
    expect(countTests(text, true)).toEqual({ passed: 0, failed: 1 })
  })
})

describe('summaryLine()', () => {
  it('is what build servers read', () => {
    expect(summaryLine({ passed: 7, failed: 1 })).toBe('7 passed, 1 failed')
  })
})
