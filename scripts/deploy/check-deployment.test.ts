import { readFile } from 'node:fs/promises'
import { parse } from 'smol-toml'
import { describe, expect, it } from 'vitest'
import { checkDeployment } from './check-deployment.ts'

const id = '9f2c6d1e-0000-4000-8000-1234567890ab'

/** A deployment with nothing wrong, to be spoiled by each test. */
function goodConfig() {
  const environment = () => ({
    vars: { BACKENDS: 'https://a.company.com:8443,https://b.company.com:8443', LOG_LEVEL: 'info' },
    mtls_certificates: [{ binding: 'BACKEND', certificate_id: id }],
    kv_namespaces: [{ binding: 'KEYS', id: id.replaceAll('-', '') }],
    durable_objects: { bindings: [{ name: 'KEY_AUTHORITY', class_name: 'KeyAuthority' }] },
    ratelimits: [{ name: 'ADDRESS_GUARD' }],
  })
  return {
    ...environment(),
    migrations: [{ new_sqlite_classes: ['KeyAuthority'] }],
    env: { production: environment() },
  }
}
type Config = ReturnType<typeof goodConfig>

describe('checkDeployment()', () => {
  it('finds nothing where all is there', () => {
    expect(checkDeployment(goodConfig(), 'production')).toEqual({ mistakes: [], unset: [] })
  })

  it.each<[string, (config: Config) => void, RegExp]>([
    [
      'a missing binding',
      ({ env }) => (env.production.durable_objects.bindings = []),
      /^\[env.production\] lacks the binding KEY_AUTHORITY$/,
    ],
    [
      'a missing namespace',
      ({ env }) => (env.production.kv_namespaces = []),
      /^\[env.production\] lacks the binding KEYS$/,
    ],
    [
      'a missing variable',
      ({ env }) => delete (env.production.vars as { LOG_LEVEL?: string }).LOG_LEVEL,
      /lacks the variable LOG_LEVEL$/,
    ],
    [
      'a class that no migration makes',
      (config) => (config.migrations = []),
      /^No migration creates the class KeyAuthority$/,
    ],
    [
      'a secret in the open',
      ({ env }) => Object.assign(env.production.vars, { API_KEY: 'x' }),
      /shows API_KEY as a variable: it must be a secret$/,
    ],
    [
      'a backend without TLS',
      ({ env }) => (env.production.vars.BACKENDS = 'http://a.company.com'),
      /names no backends/,
    ],
    [
      'a backend without an address',
      ({ env }) => (env.production.vars.BACKENDS = 'a.company.com'),
      /names no backends/,
    ],
    [
      'a binding for a backend that is not there',
      ({ env }) =>
        env.production.mtls_certificates.push({ binding: 'BACKEND_3', certificate_id: id }),
      /binds BACKEND_3, but names 2 backends$/,
    ],
  ])('names %s', (_what, spoil, message) => {
    const config = goodConfig()
    spoil(config)
    const { mistakes } = checkDeployment(config, 'production')
    expect(mistakes.join('\n')).toMatch(message)
  })

  it('names an environment that does not exist', () => {
    const { mistakes } = checkDeployment(goodConfig(), 'prod')
    expect(mistakes).toEqual(['There is no environment prod; there are production'])
  })

  it.each(['staging', 'production'])('finds wrangler.toml complete for %s', async (name) => {
    const config = parse(await readFile('wrangler.toml', 'utf8'))
    const { mistakes, unset } = checkDeployment(config, name)
    expect(mistakes).toEqual([])
    expect(unset.join('\n')).toMatch(
      /client certificate BACKEND[^]*KV namespace KEYS[^]*the address of your backend/,
    )
  })
})
