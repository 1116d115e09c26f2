import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseStartSettings, settingWarnings } from './settings.ts'

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

  it('refuses what does not go together', () => {
    const same = { PORT: '9000', BACKEND_PORT: '9000' }
    expect(() => parseStartSettings(same)).toThrow('PORT, BACKEND_PORT: are both 9000')
    expect(() => parseStartSettings({ PORT: '0', BACKEND_PORT: '0' })).not.toThrow()
    const clash = { METRICS_PORT: '9464', BACKEND_METRICS_PORT: '9464' }
    expect(() => parseStartSettings(clash)).toThrow('BACKEND_METRICS_PORT: are both 9464')
    const strangers = { ALLOWED_CLIENTS: 'vpc-client' }
    expect(() => parseStartSettings(strangers)).toThrow('ALLOWED_CLIENTS: must hold edge')
  })

  it('refuses what it sets itself', () => {
    expect(() => parseStartSettings({ TLS_CERT: 'cert.pem' })).toThrow('TLS_CERT: npm start sets')
  })
})

describe('settingWarnings()', () => {
  it('names every unknown name in .env, with the one that may have been meant', () => {
    const dotEnv = { PORT: '1', PROT: '9999', MY_SECRET: 'secret', DESCRIBE_URL: 'http://a' }
    expect(settingWarnings(dotEnv, {})).toEqual([
      'Warning: PROT in .env is not a setting and has no effect; did you mean PORT?',
      'Warning: MY_SECRET in .env is not a setting and has no effect',
    ])
  })

  it('names only near misses in the environment, which others use too', () => {
    const environment = { PATH: '/bin', HOME: '/root', HF_TOKEN: 'secret', SLOT: '8', SLOTS: '8' }
    expect(settingWarnings({}, environment)).toEqual([
      'Warning: SLOT in the environment is not a setting and has no effect; did you mean SLOTS?',
    ])
  })
})

describe('.env.example', () => {
  it('names no setting that nobody reads', () => {
    const names = readFileSync('.env.example', 'utf8').matchAll(/^#?([A-Z_]+)=/gm)
    const settings: Record<string, string> = {}
    for (const [, name] of names) settings[name!] = ''
    expect(Object.keys(settings).length).toBeGreaterThan(30)
    expect(settingWarnings(settings, {})).toEqual([])
  })
})
