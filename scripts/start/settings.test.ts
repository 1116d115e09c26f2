import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseStartSettings, withDotEnv } from './settings.ts'

describe('parseStartSettings()', () => {
  it('needs no setting at all', () => {
    expect(parseStartSettings({})).toMatchObject({
      stateDir: '.local',
      edgeKind: 'worker',
      edge: { host: '127.0.0.1', port: 8787 },
      backend: { host: '127.0.0.1', port: 8443 },
    })
  })

  it('counts empty values as unset', () => {
    expect(parseStartSettings({ PORT: '', API_KEY: '' })).toMatchObject({ edge: { port: 8787 } })
  })

  it('names every bad setting of every program once, and no secret', () => {
    const environment = { PORT: '99999', BACKEND_PORT: '-1', EDGE: 'moon', API_KEY: 'my secret' }
    const attempt = () => parseStartSettings(environment)
    expect(attempt).toThrow(/^ {2}PORT:/m)
    expect(attempt).toThrow(/^ {2}EDGE:/m)
    expect(attempt).toThrow(/^ {2}API_KEY:/m)
    expect(attempt).toThrow(/^(?!.*BACKEND_PORT:[^]*BACKEND_PORT:)/)
    expect(attempt).not.toThrow('my secret')
  })

  it('refuses what it sets itself', () => {
    expect(() => parseStartSettings({ TLS_CERT: 'cert.pem' })).toThrow('TLS_CERT: npm start sets')
  })
})

describe('withDotEnv()', () => {
  it('lets the real environment win', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dot-env-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await writeFile(join(folder, '.env'), 'PORT=1111\nHOST="0.0.0.0"\n')
    expect(withDotEnv({ PORT: '2222' }, join(folder, '.env'))).toEqual({
      PORT: '2222',
      HOST: '0.0.0.0',
    })
  })

  it('does without a file', () => {
    expect(withDotEnv({ PORT: '2222' }, 'no/such/file')).toEqual({ PORT: '2222' })
  })
})
