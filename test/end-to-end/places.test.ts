import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { endLaunch, launch, startProduct, type Launch } from './product.ts'

// Places that cannot be written, as the operator of a container or of a full disk has them: in a mount namespace, where
// folders are read-only or full for the programs alone.

const launches: Launch[] = []
afterEach(async () => {
  for (const each of launches.splice(0)) await endLaunch(each)
})

/** Prefix that runs a command after `preparation`, with its own view of the file system. */
const inMounts = (preparation: string) => [
  'unshare',
  '--map-root-user',
  '--mount',
  'sh',
  '-c',
  `${preparation} && exec "$@"`,
  'sh',
]
const readOnly = (place: string) =>
  `mount --bind '${place}' '${place}' && mount -o remount,bind,ro '${place}' && cd '${process.cwd()}'`
const full = (place: string) =>
  `mount -t tmpfs -o size=64k none '${place}' && { head -c 100000 /dev/zero > '${place}/fill' 2> /dev/null || true; }`

function canRun([command, ...rest]: readonly string[]): boolean {
  return spawnSync(command!, [...rest, 'true']).status === 0
}
const hasMounts = canRun(inMounts('mount -t tmpfs none /mnt'))

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'describe-place-'))
  onTestFinished(() => rm(made, { recursive: true, force: true }))
  return made
}

/** Launches a product that must fail to start. @returns its only line */
async function refused(settings: Record<string, string>, wrapper: readonly string[]) {
  const launched = await launch(settings, wrapper)
  launches.push(launched)
  expect(await launched.ended).toBe(1)
  const lines = launched.output().trim().split('\n')
  expect(lines).toHaveLength(1)
  return lines[0]!
}

describe.skipIf(!hasMounts)('npm start', () => {
  it.each(['worker', 'node'])('with EDGE=%s names a STATE_DIR that is read-only', async (edge) => {
    const state = await folder()
    const line = await refused({ EDGE: edge, STATE_DIR: state }, inMounts(readOnly(state)))
    expect(line).toBe(
      `Cannot use ${state} (EROFS). STATE_DIR must be a folder on a local disk with free space that this user may write to.`,
    )
    expect(await readdir(state)).toEqual([])
  })

  it('names a TMPDIR that is full, where workerd needs one', async () => {
    const temporary = await folder()
    const line = await refused({ EDGE: 'worker', TMPDIR: temporary }, inMounts(full(temporary)))
    expect(line).toMatch(
      /^Only 0 bytes are free in .*, and workerd needs .* Set TMPDIR to a folder/,
    )
    expect(line).toContain(temporary)
  })

  it('serves with a TMPDIR that is full, where nothing needs one', async () => {
    const temporary = await folder()
    const settings = { EDGE: 'node', TMPDIR: temporary }
    const product = await startProduct(settings, inMounts(full(temporary)))
    launches.push(product)
    expect((await product.edge('/health', { method: 'GET' })).status).toBe(200)
  })

  it.each(['worker', 'node'])(
    'serves with EDGE=%s from a folder that is read-only',
    async (edge) => {
      const product = await startProduct({ EDGE: edge }, inMounts(readOnly(process.cwd())))
      launches.push(product)
      expect((await product.edge('/health', { method: 'GET' })).status).toBe(200)
    },
  )

  it('says what is missing where the Worker was not built, and cannot be', async () => {
    const empty = await folder()
    const hidden = `mount --bind '${empty}' dist && mount -o remount,bind,ro dist`
    const launched = await launch({ EDGE: 'worker' }, inMounts(hidden))
    launches.push(launched)
    expect(await launched.ended).toBe(1)
    // It is the last line of stderr; lines of stdout may be read after it.
    expect(launched.output()).toMatch(
      /^Cannot use dist\/.* \(EROFS\)\. The Worker is bundled there: run npm run/m,
    )
  })
})

const other = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
// Another user cannot be had without being root, and needs to reach the program.
const hasOther = process.getuid?.() === 0 && canRun([...other, process.execPath, '-v'])

describe.skipIf(!hasOther)('npm start as a user who may not write', () => {
  it.each(['worker', 'node'])('with EDGE=%s names STATE_DIR', async (edge) => {
    const state = await folder()
    await chmod(state, 0o755)
    const line = await refused({ EDGE: edge, STATE_DIR: state }, other)
    expect(line).toContain(`Cannot use ${state} (EACCES). STATE_DIR must be`)
    expect(await readdir(state)).toEqual([])
  })

  it('names a file in STATE_DIR that belongs to somebody else', async () => {
    const state = await folder()
    const first = await startProduct({ EDGE: 'node', STATE_DIR: state })
    first.child.kill('SIGTERM')
    await first.ended
    await chmod(state, 0o777)
    const line = await refused({ EDGE: 'node', STATE_DIR: state }, other)
    expect(line).toMatch(/^Cannot use .*\/(certs|logs|api-key).* \(EACCES\)\. STATE_DIR must be/)
  })
})
