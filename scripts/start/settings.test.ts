import { describe, expect, it } from 'vitest'
import { parseStartSettings } from './settings.ts'

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
