import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { residentBytes } from '../../../shared/node/metrics/resident-bytes.ts'
import { hugeWebp } from '../../../test/support/images/huge-images.ts'
import { createImageProcesses, type ImageProcesses } from './image-processes.ts'

const order = (file: Uint8Array) => ({ task: 'prepareImage', file }) as const
const never = new AbortController().signal
/** When an image gives precedence to everything else: not within a test, after it began, and at once. */
const [late, soon, atOnce] = [600_000, 1, 0]
const small = () => new Uint8Array(readFileSync('test/golden/images/g01.png'))

let processes: ImageProcesses
beforeEach(() => {
  processes = createImageProcesses({
    entry: fileURLToPath(new URL('./image-process.ts', import.meta.url)),
    modelFolder: 'models/kimi-vl-nano',
    idleMs: 50,
    lowersAfterMs: (estimatedMs) => estimatedMs,
  })
})
afterEach(() => processes.close())

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Resolves when it is so; a test that waits in vain runs into its own time limit. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await wait(10)
}

describe('createImageProcesses()', () => {
  it('ends the process of a decoder that nobody waits for any more, and goes on', async () => {
    await processes.run(order(small()), late, never)
    const [atWork] = processes.pids
    const abort = new AbortController()
    const leaving = processes.run(order(hugeWebp()), late, abort.signal)
    await wait(200)
    abort.abort(new Error('left'))
    await expect(leaving).rejects.toThrow('left')
    await until(() => !isAlive(atWork!))
    expect(await processes.run(order(small()), late, never)).toMatchObject({ ok: true })
    expect(processes.pids).not.toContain(atWork)
  })

  it('decodes a file of megabytes, also after one whose caller left while it was handed over', async () => {
    const pixels = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * at) % 251))
    const raw = { width: 1_000, height: 1_000, channels: 3 } as const
    const file = () => sharp(pixels, { raw }).png({ compressionLevel: 0 }).toBuffer()
    const abort = new AbortController()
    const leaving = processes.run(order(await file()), late, abort.signal)
    abort.abort(new Error('left'))
    await expect(leaving).rejects.toThrow('left')
    expect(await processes.run(order(await file()), late, never)).toMatchObject({ ok: true })
  })

  it('reports that a process ended by itself, and goes on', async () => {
    const running = processes.run(order(hugeWebp()), late, never)
    process.kill(processes.pids[0]!, 'SIGSEGV')
    await expect(running).rejects.toThrow('An image process ended: SIGSEGV')
    expect(await processes.run(order(small()), late, never)).toMatchObject({ ok: true })
  })

  it('reports that a process could not be started for want of open files, and goes on', () => {
    const program = `
      const { openSync } = await import('node:fs')
      const { createImageProcesses } = await import('./image-processes.ts')
      const order = { task: 'prepareImage', file: new Uint8Array(9) }
      const options = { entry: 'never', modelFolder: '', idleMs: 50, lowersAfterMs: () => 1 }
      try { for (;;) openSync('/dev/null') } catch {}
      const processes = createImageProcesses(options)
      for (let time = 0; time < 2; time++) {
        await processes.run(order, 1, new AbortController().signal).catch(({ code }) => console.log(code))
      }
      console.log(processes.pids)`
    const limited = 'ulimit -n 64; exec "$0" --input-type=module --eval "$1"'
    const { stdout } = spawnSync('sh', ['-c', limited, process.execPath, program], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    })
    expect(stdout).toBe('EMFILE\nEMFILE\n[]\n')
  })

  it('decodes side by side with one more standing ready, and ends all but one of those that idle', async () => {
    const images = Array.from({ length: 3 }, () => processes.run(order(small()), late, never))
    expect(processes.pids).toHaveLength(4)
    for (const outcome of await Promise.all(images)) expect(outcome).toMatchObject({ ok: true })
    await until(() => processes.pids.length === 1)
  })

  it.runIf(process.platform === 'linux')(
    'lowers the priority of all threads that decode for long, and decodes the next one elsewhere',
    async () => {
      await processes.run(order(small()), late, never)
      const [pid] = processes.pids
      const priorities = () => readdirSync(`/proc/${pid}/task`).map((id) => getPriority(Number(id)))
      const usual = getPriority()
      expect(new Set(priorities())).toEqual(new Set([usual]))
      const abort = new AbortController()
      const long = processes.run(order(hugeWebp()), soon, abort.signal)
      await until(() => priorities().every((priority) => priority > usual))
      abort.abort(new Error('left'))
      await expect(long).rejects.toThrow('left')

      const [next] = processes.pids
      expect(await processes.run(order(small()), soon, never)).toMatchObject({ ok: true })
      expect(processes.pids).not.toContain(next)
      expect(processes.pids.map(getPriority)).toEqual(processes.pids.map(() => usual))
    },
  )

  it.runIf(process.platform === 'linux')(
    'starts a process of lowered priority for what is known to take long, and keeps one ready for the rest',
    async () => {
      await processes.run(order(small()), late, never)
      await until(() => processes.pids.length === 1)
      const [ready] = processes.pids
      const abort = new AbortController()
      const long = processes.run(order(hugeWebp()), atOnce, abort.signal)
      const priorities = () => processes.pids.map((pid) => getPriority(pid) > getPriority())
      expect(priorities()).toEqual([false, true])
      expect(await processes.run(order(small()), late, never)).toMatchObject({ ok: true })
      expect(processes.pids[0]).toBe(ready)
      abort.abort(new Error('left'))
      await expect(long).rejects.toThrow('left')
      await until(() => processes.pids.every((pid) => getPriority(pid) === getPriority()))
    },
  )

  it('keeps one ready however long another takes', async () => {
    const { pids } = processes
    const abort = new AbortController()
    const long = processes.run(order(hugeWebp()), atOnce, abort.signal)
    await wait(200)
    expect(processes.pids).toEqual([...pids, expect.any(Number)])
    abort.abort(new Error('left'))
    await expect(long).rejects.toThrow('left')
    expect(processes.pids).toEqual(pids)
  })

  it('ends its processes when it is closed', async () => {
    const running = processes.run(order(hugeWebp()), late, never)
    const { pids } = processes
    processes.close()
    await expect(running).rejects.toThrow('An image process ended')
    await until(() => !pids.some(isAlive))
    expect(processes.pids).toEqual([])
  })

  it.runIf(process.platform === 'linux')('gives back the memory of decoded pixels', async () => {
    // Whichever of them decodes.
    const most = () => Math.max(...processes.pids.map((pid) => residentBytes([pid])))
    const side = 9_000
    const background = '#408020'
    const file = await sharp({ create: { width: side, height: side, channels: 3, background } })
      .png()
      .toBuffer()
    await processes.run(order(small()), late, never)
    const before = most()
    expect(await processes.run(order(file), late, never)).toMatchObject({ ok: true })
    await expect.poll(() => most() - before).toBeLessThan((3 * side ** 2) / 2)
  })
})
