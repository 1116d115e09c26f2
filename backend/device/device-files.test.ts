import { describe, expect, it } from 'vitest'
import { missingCard } from './device-files.ts'

/** A file system of these files, some of which this process may open. */
function filesOf(contents: Readonly<Record<string, string>>, openable: readonly string[] = []) {
  return {
    list: (folder: string) => {
      const below = Object.keys(contents).filter((path) => path.startsWith(`${folder}/`))
      const names = below.map((path) => path.slice(folder.length + 1).split('/')[0]!)
      return Promise.resolve([...new Set(names)])
    },
    read: (path: string) => Promise.resolve(contents[path] ?? ''),
    mayOpen: (path: string) => Promise.resolve(openable.includes(path)),
  }
}

function pci(device: string, vendor: string, kind: string) {
  const folder = `/sys/bus/pci/devices/${device}`
  return { [`${folder}/vendor`]: `${vendor}\n`, [`${folder}/class`]: `${kind}\n` }
}

const networkCard = pci('0000:00:03.0', '0x8086', '0x020000')
const serverDisplay = pci('0000:00:04.0', '0x1a03', '0x030000')
const nvidia = pci('0000:01:00.0', '0x10de', '0x030200')

describe('why no graphics card can be opened', () => {
  it('is that there is none', async () => {
    const files = filesOf({ ...networkCard, ...serverDisplay, '/dev/null': '' })
    expect(await missingCard(files, 'linux')).toBe('this machine has none')
  })

  it('is a driver that is not loaded, or a container without the card', async () => {
    const files = filesOf({ ...networkCard, ...nvidia })
    expect(await missingCard(files, 'linux')).toMatch(/one of NVIDIA, but no file of it in \/dev/)
  })

  it('is a user who may not open its file', async () => {
    const [first, second] = ['/dev/dri/renderD128', '/dev/nvidia0']
    const contents = { ...nvidia, '/dev/dri/card0': '', [first]: '', [second]: '' }
    expect(await missingCard(filesOf(contents), 'linux')).toMatch(
      /may not open \/dev\/nvidia0, \/dev\/dri\/renderD128: .*usermod -aG render/,
    )
    expect(await missingCard(filesOf(contents, [second]), 'linux')).toBeUndefined()
  })

  it('is unknown on other systems', async () => {
    expect(await missingCard(filesOf({}), 'darwin')).toBeUndefined()
  })
})
