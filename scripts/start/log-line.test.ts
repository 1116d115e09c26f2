import { describe, expect, it } from 'vitest'
import { isWanted, readLogLine } from './log-line.ts'

const now = new Date('2026-03-01T12:00:00Z')

describe('readLogLine()', () => {
  it('gives a person the message and the fields that matter', () => {
    const line = JSON.stringify({
      level: 'info',
      time: '2026-03-01T10:20:30Z',
      request_id: 'req_1',
      route: 'text',
      status: 200,
      msg: 'request',
    })
    const { level, whole, brief } = readLogLine('edge', line, now)
    expect(level).toBe('info')
    expect(whole).toBe(line)
    expect(brief).toMatch(/^\d\d:\d\d:30 edge {4}info {2}request route=text status=200$/)
  })

  it('adds a time where there is none', () => {
    const { whole } = readLogLine('edge', '{"level":"warn","message":"slow"}', now)
    expect(JSON.parse(whole)).toEqual({
      time: '2026-03-01T12:00:00.000Z',
      level: 'warn',
      message: 'slow',
    })
  })

  it('reads the numbers of pino', () => {
    expect(readLogLine('edge', '{"level":40,"msg":"slow"}', now).level).toBe('warn')
  })

  it.each(['plain words', '{"level": broken'])('takes %j for an error', (line) => {
    const read = readLogLine('backend', line, now)
    expect(read).toEqual({ level: 'error', whole: line, brief: `backend: ${line}` })
  })

  it('shortens long lines of the log for the terminal only', () => {
    const line = JSON.stringify({ level: 'info', msg: 'x'.repeat(500) })
    const { whole, brief } = readLogLine('backend', line, now)
    expect(whole).toContain('x'.repeat(500))
    expect(brief).toHaveLength(160)
  })

  it('leaves the reason why a program ends as long as it is', () => {
    const reason = `Cannot load the model: ${'x'.repeat(3_000)}`
    expect(readLogLine('backend', reason, now).brief).toBe(`backend: ${reason}`)
    expect(readLogLine('backend', 'x'.repeat(5_000), now).brief).toHaveLength(4_000)
  })
})

describe('isWanted()', () => {
  it('drops what is less important than the setting', () => {
    expect(isWanted('info', 'warn')).toBe(false)
    expect(isWanted('warn', 'warn')).toBe(true)
    expect(isWanted('error', 'silent')).toBe(false)
  })
})
