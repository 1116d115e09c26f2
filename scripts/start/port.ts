import { createServer, type AddressInfo } from 'node:net'
import { StartError } from './start-error.ts'

interface PortWanted {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  /** Name of the setting, for the message. */
  readonly setting: string
}

/**
 * Makes sure that a port can be listened on, by doing so for a moment.
 * @returns the port
 * @throws {StartError} naming port and setting
 */
export async function findFreePort({ host, port, setting }: PortWanted): Promise<number> {
  const server = createServer()
  try {
    return await new Promise<number>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port, exclusive: true }, () => {
        resolve((server.address() as AddressInfo).port)
      })
    })
  } catch (error) {
    throw new StartError(explain(error as NodeJS.ErrnoException, host, port, setting))
  } finally {
    server.close()
  }
}

function explain(error: NodeJS.ErrnoException, host: string, port: number, setting: string) {
  switch (error.code) {
    case 'EADDRINUSE':
      return `Port ${port} on ${host} is already taken by another program: end it, or choose another port with ${setting}`
    case 'EACCES':
      return `Port ${port} needs privileges this user lacks: choose one above 1023 with ${setting}`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is not an address of this machine: change ${setting.replace('PORT', 'HOST')}`
    default:
      return `Cannot listen on port ${port} of ${host} (${error.code}): change ${setting}`
  }
}
