import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { parseConfig } from './config.ts'

describe('parseConfig()', () => {
  it('has caches on, their memory decided by what is free', () => {
    expect(parseConfig({}).engine.caches).toEqual({
      kvTokens: undefined,
      prefixTokens: Infinity,
      imageBytes: 256 * 1024 * 1024,
    })
  })

  it('switches each cache off at 0', () => {
    const off = { KV_CACHE_TOKENS: '0', PREFIX_CACHE_TOKENS: '0', IMAGE_CACHE_MB: '0' }
    expect(parseConfig(off).engine.caches).toEqual({ kvTokens: 0, prefixTokens: 0, imageBytes: 0 })
  })

  it('gives a weight to the key and to the certificate of that name', () => {
    const { tenantWeights } = parseConfig({ TENANT_WEIGHTS: 'shop=3, vpc-client=0.5' }).engine
    expect([...tenantWeights]).toEqual([
      ['key:shop', 3],
      ['client:shop', 3],
      ['key:vpc-client', 0.5],
      ['client:vpc-client', 0.5],
    ])
  })

  it('leaves the choice of a graphics card to what is found, unless it is settled', () => {
    expect(parseConfig({}).provider).toBe('auto')
    expect(parseConfig({ PROVIDER: 'webgpu' }).provider).toBe('webgpu')
    expect(() => parseConfig({ PROVIDER: 'webgpu', DETERMINISTIC: 'true' })).toThrow(
      'DETERMINISTIC: not possible with PROVIDER=webgpu',
    )
  })

  it('drafts tokens as configured, but never where answers must be identical to the last bit', () => {
    expect(parseConfig({}).speculation).toBe('auto')
    expect(parseConfig({ SPECULATION: 'on' }).speculation).toBe('on')
    expect(() => parseConfig({ SPECULATION: 'on', DETERMINISTIC: 'true' })).toThrow(
      'DETERMINISTIC: not possible with SPECULATION=on',
    )
  })

  it('means the included model and the state of the project, wherever it is started', async () => {
    const config = new URL('config.ts', import.meta.url).href
    const code = `const { parseConfig } = await import(${JSON.stringify(config)})
      const { checkpointDir, modelsDir } = parseConfig({}).model
      console.log(JSON.stringify([checkpointDir, modelsDir]))`
    const given = ['--input-type=module', '--eval', code]
    const { stdout } = await promisify(execFile)(process.execPath, given, { cwd: tmpdir() })
    const project = join(import.meta.dirname, '..')
    const folders = [join(project, 'models/kimi-vl-nano'), join(project, '.local/models')]
    expect(JSON.parse(stdout)).toEqual(folders)
  })

  it.each([
    ['PROVIDER', 'cuda'],
    ['KV_CACHE_TOKENS', '255'],
    ['KV_CACHE_TOKENS', '-1'],
    ['PREFIX_CACHE_TOKENS', 'much'],
    ['IMAGE_CACHE_MB', '1.5'],
    ['UPLOAD_MEMORY_MB', '199'],
  ])('refuses %s=%s by name', (name, value) => {
    expect(() => parseConfig({ [name]: value })).toThrow(name)
  })
})
