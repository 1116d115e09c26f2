import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Command } from 'commander'
import { certsCommand } from './certs-command.ts'

const day = 86_400_000

let dir: string
let clock: { ms: number }
let lines: string[]
beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), 'certs-')), 'authority')
  clock = { ms: Date.now() }
  lines = []
})
afterEach(() => rm(join(dir, '..'), { recursive: true }))

const pem = (file: string) => readFile(join(dir, file), 'utf8')

async function certs(...commandArguments: string[]): Promise<string> {
  lines.length = 0
  const parts = {
    environment: {},
    fetch,
    print: (line: string) => void lines.push(line),
    note: () => undefined,
    now: () => clock.ms,
  }
  const program = new Command().exitOverride().addCommand(certsCommand(parts))
  for (const command of [program, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.exitOverride().configureOutput({ writeErr: () => undefined })
  }
  await program.parseAsync(['certs', ...commandArguments, '--dir', dir], { from: 'user' })
  return lines.join('\n')
}

/** @returns whether a client and a server with the files in the folder accept each other */
async function fitTogether(ca: string): Promise<boolean> {
  const server = createServer({
    ca,
    cert: await pem('backend.pem'),
    key: await pem('backend-key.pem'),
    requestCert: true,
    rejectUnauthorized: true,
  })
  server.on('secureConnection', (socket: TLSSocket) => socket.end('welcome'))
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: 'backend.internal',
    ca,
    cert: await pem('edge.pem'),
    key: await pem('edge-key.pem'),
  })
  const heard = await new Promise<string>((resolve) => {
    let text = ''
    socket.on('data', (data) => (text += String(data)))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text))
  })
  server.close()
  return heard === 'welcome'
}

async function makeBoth(): Promise<void> {
  await certs('init')
  await certs('issue', 'backend', '--use', 'server', '--names', 'backend.internal,10.0.0.7')
  await certs('issue', 'edge', '--use', 'client')
}

describe('certs', () => {
  it('makes an authority, a server and a client that fit together', async () => {
    await makeBoth()
    expect(await fitTogether(await pem('ca.pem'))).toBe(true)
    for (const file of ['ca-key.pem', 'backend-key.pem', 'edge-key.pem']) {
      expect((await stat(join(dir, file))).mode & 0o777).toBe(0o600)
    }
    expect((await certs('list')).split('\n').map((line) => line.split(/ +/).slice(0, 3))).toEqual([
      ['NAME', 'USE', 'GOOD'],
      ['ca', 'authority', expect.any(String)],
      ['backend', 'server', 'backend.internal,10.0.0.7'],
      ['edge', 'client', 'edge'],
    ])
  })

  it('does not overwrite an authority', async () => {
    await certs('init')
    await expect(certs('init')).rejects.toThrow('already holds an authority')
  })

  it('replaces no certificate unless asked to', async () => {
    await makeBoth()
    const read = () => Promise.all(['edge.pem', 'edge-key.pem'].map(pem))
    const before = await read()
    const again = certs('issue', 'edge', '--use', 'server', '--names', 'elsewhere')
    const file = join(dir, 'edge.pem')
    await expect(again).rejects.toThrow(`${file} already exists: rotate edge renews it, --replace`)
    expect(await read()).toEqual(before)

    await certs('issue', 'edge', '--use', 'client', '--names', 'edge,eu.edge', '--replace')
    expect(await certs('list')).toContain('edge,eu.edge')
    expect(await read()).not.toEqual(before)
  })

  it('replaces no key whose certificate is elsewhere', async () => {
    await makeBoth()
    await rm(join(dir, 'edge.pem'))
    const key = await pem('edge-key.pem')
    const again = certs('issue', 'edge', '--use', 'client')
    await expect(again).rejects.toThrow(`${join(dir, 'edge-key.pem')} already exists`)
    expect(await pem('edge-key.pem')).toBe(key)
  })

  it.each([
    [['issue', 'ca', '--use', 'client'], 'cannot name a certificate'],
    [['issue', 'a/b', '--use', 'client'], 'cannot name a certificate'],
    [['issue', 'edge'], 'required option'],
    [['issue', 'edge', '--use', 'both'], 'Allowed choices are server, client'],
    [['issue', 'edge', '--use', 'client', '--names', 'a b'], 'expected DNS names'],
    [['issue', 'edge', '--use', 'client', '--days', '0'], 'expected 1 to 36500 days'],
    [['rotate', 'nobody'], 'There is no certificate nobody'],
  ])('refuses %j', async (commandArguments, message) => {
    await certs('init')
    await expect(certs(...commandArguments)).rejects.toThrow(message)
  })

  it('says where there is no authority', async () => {
    await expect(certs('list')).rejects.toThrow(`Cannot read ${join(dir, 'ca.pem')}`)
  })

  it.each([
    ['edge.pem', ['list'], 'edge.pem holds no certificate'],
    ['ca.pem', ['list'], 'ca.pem holds no certificate'],
    ['ca-key.pem', ['rotate', 'edge'], 'hold no certificate and key of an authority'],
  ])('names a damaged %s', async (file, commandArguments, message) => {
    await makeBoth()
    await writeFile(join(dir, file), 'junk')
    await expect(certs(...commandArguments)).rejects.toThrow(message)
  })

  it('replaces what ends soon, with a new key and the same names', async () => {
    await makeBoth()
    const before = await pem('edge-key.pem')
    expect(await certs('rotate')).toBe('Nothing to replace')
    clock.ms += 361 * day
    expect(await certs('rotate')).toBe('Replaced backend, edge')
    expect(await pem('edge-key.pem')).not.toBe(before)
    const { subjectAltName, validTo } = new X509Certificate(await pem('backend.pem'))
    expect(subjectAltName).toBe('DNS:backend.internal, IP Address:10.0.0.7')
    expect(Date.parse(validTo)).toBeGreaterThan(clock.ms + 389 * day)
  })

  it('replaces the authority step by step, and at each step all fit together', async () => {
    await makeBoth()
    const oldAuthority = await pem('ca.pem')
    await certs('rotate', '--authority')
    const both = await pem('ca.pem')
    expect(await fitTogether(both)).toBe(true)
    expect(await certs('list')).toContain('from an older authority')
    expect(await certs('retire')).toMatch(/^ca.pem holds 2 authorities/)

    expect(await certs('rotate')).toBe('Replaced backend, edge')
    expect(await fitTogether(both)).toBe(true)
    expect(await fitTogether(oldAuthority)).toBe(false)
    expect(await certs('retire')).toMatch(/^ca.pem holds one authority/)
    expect(await fitTogether(await pem('ca.pem'))).toBe(true)
  })
})
