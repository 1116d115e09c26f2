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

  it('finds none twice, nor one that is taken, nor one that the system gives to others', async () => {
    const found = []
    for (let count = 0; count < 20; count += 1) {
      const [port = 0] = await findFreePorts([{ host, port: 0, setting: 'PORT' }])
      found.push(port)
      const next = createServer().listen(port + 1, host)
      onTestFinished(() => void next.close())
      // If this fails, the port is already taken.
      await new Promise((resolve) => next.once('listening', resolve).once('error', resolve))
    }
    expect(new Set(found).size).toBe(20)
    for (const port of found) {
      expect(port).toBeLessThan(32_768)
      expect(found).not.toContain(port + 1)
    }
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
