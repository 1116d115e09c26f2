import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findFreePorts } from './port.ts'

const host = '127.0.0.1'

async function takenPort(): Promise<number> {
  const server = createServer().listen(0, host)
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

describe('findFreePorts()', () => {
  it('finds different ports for several zeros', async () => {
    const [first, second] = await findFreePorts([
      { host, port: 0, setting: 'PORT' },
      { host, port: 0, setting: 'BACKEND_PORT' },
    ])
    expect(first).toBeGreaterThan(0)
    expect(second).toBeGreaterThan(0)
    expect(first).not.toBe(second)
  })

  it('names port and setting when it is taken', async () => {
    const port = await takenPort()
    await expect(findFreePorts([{ host, port, setting: 'BACKEND_PORT' }])).rejects.toThrow(
      new RegExp(`Port ${port} .* already in use.* BACKEND_PORT`),
    )
  })

  it('refuses the same port twice', async () => {
    const [port = 0] = await findFreePorts([{ host, port: 0, setting: 'PORT' }])
    const twice = [
      { host, port, setting: 'PORT' },
      { host, port, setting: 'BACKEND_PORT' },
    ]
    await expect(findFreePorts(twice)).rejects.toThrow('BACKEND_PORT')
  })

  it('names the setting of an address that is not here', async () => {
    const wanted = [{ host: '192.0.2.1', port: 0, setting: 'PORT' }]
    await expect(findFreePorts(wanted)).rejects.toThrow('change HOST')
  })
})
