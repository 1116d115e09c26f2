import { describe, expect, it } from 'vitest'
import { isWanted, readLogLine } from './log-line.ts'

const now = new Date('2026-03-01T12:00:00Z')

describe('readLogLine()', () => {
  it('gives a person the message and the fields that matter', () => {
    const line = JSON.stringify({
      level: 'info',
      time: '2026-03-01T10:20:30Z',
      request_id: 'req_1',
      route: '/generate/text',
      status: 200,
      msg: 'request',
    })
    const { level, whole, brief } = readLogLine('edge', line, now)
    expect(level).toBe('info')
    expect(whole).toBe(line)
    expect(brief).toMatch(
      /^\d\d:\d\d:30 edge {4}info {2}request route=\/generate\/text status=200 request_id=req_1$/,
    )
  })

  it('shows what an audit line says', () => {
    const line = JSON.stringify({
      level: 'warn',
      time: '2026-03-01T10:20:30Z',
      request_id: 'req_1',
      change: 'key changed',
      changed_key_id: 'aaaaaaaaaaaa',
      by_key_id: 'default',
      address: '192.0.2.1',
      fields: 'scopes,limits',
      msg: 'audit',
    })
    expect(readLogLine('edge', line, now).brief).toMatch(
      /audit change=key changed changed_key_id=aaaaaaaaaaaa fields=scopes,limits by_key_id=default address=192.0.2.1 request_id=req_1$/,
    )
  })

  it.each([
    ['backend', { client_name: 'edge', request_id: 'req_1' }, 'debug'],
    ['backend', { client_name: 'vpc-client', request_id: 'req_1' }, 'info'],
    ['edge', { request_id: 'req_1' }, 'info'],
    ['edge', { request_id: 'npm-start-1' }, 'debug'],
  ])('shows each request once, and none of our own: %s %o', (program, fields, shownFrom) => {
    const line = JSON.stringify({ level: 'info', msg: 'request', status: 200, ...fields })
    expect(readLogLine(program, line, now)).toMatchObject({ level: 'info', shownFrom })
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
    expect(read).toEqual({
      level: 'error',
      shownFrom: 'error',
      whole: line,
      brief: `backend: ${line}`,
    })
  })

  it('shows what goes wrong in workerd, but not the addresses in its stack', () => {
    const stack = 'stack: /a folder/bin/workerd@52400b4 /a folder/bin/workerd@523f285'
    expect(readLogLine('edge', stack, now)).toMatchObject({ whole: stack, shownFrom: 'debug' })
    expect(readLogLine('edge', 'workerd: error: e', now).shownFrom).toBe('error')
  })

  it('shortens long lines of the log for the terminal only', () => {
    const line = JSON.stringify({ level: 'info', msg: 'x'.repeat(500) })
    const { whole, brief } = readLogLine('backend', line, now)
    expect(whole).toContain('x'.repeat(500))
    expect(brief).toHaveLength(400)
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
