import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readFreeMemory } from './free-memory.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'root-'))
  write({ 'proc/meminfo': 'MemTotal: 24684092 kB\nMemAvailable:   20000000 kB\n' })
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
}

const free = () => readFreeMemory(root, 'linux')
const onMachine = { bytes: 20_000_000 * 1024, limitedBy: 'machine' }

describe('readFreeMemory()', () => {
  it('is what the kernel calls available, where nothing else limits it', () => {
    expect(free()).toEqual(onMachine)
    write({
      'proc/self/cgroup': '0::/user.slice\n',
      'sys/fs/cgroup/user.slice/memory.max': 'max\n',
    })
    expect(free()).toEqual(onMachine)
  })

  it('is less in a container with a limit, whose pages of files count as free', () => {
    write({
      'proc/self/cgroup': '0::/\n',
      'sys/fs/cgroup/memory.max': '8000000000\n',
      'sys/fs/cgroup/memory.high': 'max\n',
      'sys/fs/cgroup/memory.current': '7900000000\n',
      'sys/fs/cgroup/memory.stat':
        'anon 900000000\nfile 7000000000\ninactive_file 6000000000\nactive_file 1000000000\n',
    })
    expect(free()).toEqual({ bytes: 7_100_000_000, limitedBy: 'container' })
  })

  it('is that of the strictest group around the process', () => {
    write({
      'proc/self/cgroup': '0::/system.slice/describe.service\n',
      'sys/fs/cgroup/system.slice/memory.max': '4000000000\n',
      'sys/fs/cgroup/system.slice/memory.current': '1000000000\n',
      'sys/fs/cgroup/system.slice/describe.service/memory.high': '6000000000\n',
      'sys/fs/cgroup/system.slice/describe.service/memory.max': '9000000000\n',
      'sys/fs/cgroup/system.slice/describe.service/memory.current': '500000000\n',
    })
    expect(free()?.bytes).toBe(3_000_000_000)
  })

  it('reads version 1, also in a container that sees its own part under the host’s path', () => {
    write({
      'proc/self/cgroup': '9:name=systemd:/x\n4:cpu,memory:/docker/abc\n0::/\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '2000000000\n',
      'sys/fs/cgroup/memory/memory.usage_in_bytes': '1500000000\n',
      'sys/fs/cgroup/memory/memory.stat': 'total_inactive_file 250000000\n',
    })
    expect(free()).toEqual({ bytes: 750_000_000, limitedBy: 'container' })
    write({ 'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n' })
    expect(free()).toEqual(onMachine)
  })

  it('is never less than nothing', () => {
    write({
      'proc/self/cgroup': '0::/\n',
      'sys/fs/cgroup/memory.high': '1000\n',
      'sys/fs/cgroup/memory.current': '5000\n',
    })
    expect(free()?.bytes).toBe(0)
  })

  it('is unknown where the system has no such number', () => {
    expect(readFreeMemory(root, 'darwin')).toBeUndefined()
    rmSync(join(root, 'proc/meminfo'))
    expect(free()).toBeUndefined()
  })

  it('is known on this machine', () => {
    if (process.platform === 'darwin') return
    expect(readFreeMemory()!.bytes).toBeGreaterThan(0)
  })
})
