import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, stat, symlink } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { eventually } from './eventually.ts'
import { isRunning } from './processes.ts'
import { endLaunch, launch, startProduct, type Launch, type Product } from './product.ts'

const run = promisify(execFile)

const presetKey = '4f0c8ab8cb2d4b0f9d6d5b3e'

const launches: Launch[] = []
afterEach(async () => {
  for (const each of launches.splice(0)) await endLaunch(each)
})

async function started(settings: Record<string, string>): Promise<Product> {
  const product = await startProduct(settings)
  launches.push(product)
  return product
}

/** Launches a product that must fail to start. @returns its exit code and all its output */
async function refused(settings: Record<string, string>) {
  const launched = await launch(settings)
  launches.push(launched)
  return { code: await launched.ended, output: launched.output() }
}

/** A port that stays occupied until the test is over. */
async function takenPort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  return String((server.address() as AddressInfo).port)
}

const expectNothingLeft = async (processes: ReturnType<Product['processes']>) => {
  expect(processes.length).toBeGreaterThanOrEqual(3)
  await eventually(() => !processes.some(isRunning))
}

describe.each(['worker', 'node'])('npm start with EDGE=%s', (edge) => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('ends everything on %s', async (signal) => {
    const product = await started({ EDGE: edge })
    const processes = product.processes()
    product.child.kill(signal)
    expect(await product.ended).toBe(0)
    await expectNothingLeft(processes)
  })

  it('leaves nothing behind when it is killed', async () => {
    const product = await started({ EDGE: edge })
    const processes = product.processes()
    product.child.kill('SIGKILL')
    await expectNothingLeft(processes)
  })

  it('ends with 1 and says so when the edge dies', async () => {
    const product = await started({ EDGE: edge })
    const processes = product.processes()
    const command = edge === 'worker' ? 'workerd' : 'edge/node/main.mjs'
    const victim = processes.find((process) => process.command.includes(command))!
    process.kill(victim.pid, 'SIGKILL')
    expect(await product.ended).toBe(1)
    expect(product.output()).toContain('The edge ended (')
    await expectNothingLeft(processes)
  })

  it('answers 503 when the backend is killed, and starts it again', async () => {
    const product = await started({ EDGE: edge })
    const isBackend = ({ command }: { command: string }) => command.includes('backend/main.mjs')
    process.kill(product.processes().find(isBackend)!.pid, 'SIGKILL')
    const headers = { 'content-type': 'application/json', 'x-api-key': product.apiKey }
    const body = JSON.stringify({ prompt: 'Hello!', temperature: 0 })
    const ask = () => fetch(`${product.url}/generate/text`, { method: 'POST', headers, body })
    await eventually(() => product.output().includes('The backend ended (signal SIGKILL)'))
    const refusedAnswer = await ask()
    expect(refusedAnswer.status).toBe(503)
    expect(await refusedAnswer.json()).toMatchObject({ error: { type: 'server_error' } })
    await eventually(async () => (await ask()).status === 200)
    const processes = product.processes()
    product.child.kill('SIGTERM')
    expect(await product.ended).toBe(0)
    await expectNothingLeft(processes)
  })

  it('serves on when nobody reads what it prints, and its log files are on a full disk', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'describe-full-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    await mkdir(join(folder, 'logs'))
    for (const name of ['backend', 'edge']) {
      await symlink('/dev/full', join(folder, 'logs', `${name}.log`))
    }
    const product = await started({ EDGE: edge, STATE_DIR: folder })
    product.child.stdout!.destroy()
    const statuses = []
    for (let count = 0; count < 20; count++) {
      const response = await fetch(`${product.url}/nowhere`, {
        headers: { 'x-api-key': product.apiKey },
      })
      statuses.push(response.status)
    }
    expect(new Set(statuses)).toEqual(new Set([404]))
    const processes = product.processes()
    product.child.kill('SIGTERM')
    expect(await product.ended).toBe(0)
    await expectNothingLeft(processes)
  })

  it('prints a curl line that works when pasted', async () => {
    const product = await started({ EDGE: edge })
    const line = product
      .output()
      .split('\n')
      .find((text) => text.startsWith('curl '))!
    const { stdout } = await run('bash', ['-c', `${line} --silent`])
    expect(JSON.parse(stdout)).toMatchObject({ finish_reason: 'stop' })
  })
})

describe('npm start', () => {
  it.each(['PORT', 'BACKEND_PORT'])('names a %s that is taken', async (setting) => {
    const port = await takenPort()
    const { code, output } = await refused({ [setting]: port })
    expect(code).toBe(1)
    expect(output.trim().split('\n')).toEqual([expect.stringContaining(`Port ${port} `)])
    expect(output).toContain(setting)
  })

  it('names every bad setting', async () => {
    const { code, output } = await refused({
      PORT: 'web',
      SLOTS: '0',
      EDGE: 'moon',
      API_KEY: 'a b',
    })
    expect(code).toBe(1)
    for (const name of ['PORT', 'SLOTS', 'EDGE', 'API_KEY']) expect(output).toContain(`${name}:`)
    expect(output).not.toContain('a b')
  })

  it('names a model folder that is not there', async () => {
    const { code, output } = await refused({ MODEL_PATH: 'models/no-such-model' })
    expect(code).toBe(1)
    expect(output).toContain('The backend ended')
    expect(output).toContain('models/no-such-model')
  })

  it('does not load a model that does not fit, and says what to change', async () => {
    const { code, output } = await refused({ MEMORY_MB: '2000', KV_CACHE_TOKENS: '10000000' })
    expect(code).toBe(1)
    expect(output).toMatch(
      /Cannot load the model: the model needs .+ and 2\.1 GB are allowed by MEMORY_MB: set KV_CACHE_TOKENS=\d+$/m,
    )
  })

  it('names a placement of other layers than the model has', async () => {
    const { code, output } = await refused({ DEVICE_MAP: 'cpu:2,cpu:3' })
    expect(code).toBe(1)
    expect(output).toContain('DEVICE_MAP=cpu:2,cpu:3 places 5 layers, and the model has 4.')
  })

  it('refuses an API key that can be guessed', async () => {
    const preset = await refused({ API_KEY: 'swordfish' })
    expect(preset.code).toBe(1)
    expect(preset.output).toMatch(/^ {2}API_KEY: .*openssl/m)
    expect(preset.output).not.toContain('swordfish')
  })

  it('takes the preset API key and keeps it', async () => {
    const product = await started({ API_KEY: presetKey, EDGE: 'node' })
    expect(product.apiKey).toBe(presetKey)
    expect((await product.edge('/generate/text')).status).not.toBe(401)
  })

  it('makes key and certificates once, for their owner alone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'describe-kept-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const secrets = () =>
      Promise.all(
        ['api-key', 'certs/client-key.pem', 'certs/server-key.pem'].map(async (name) => {
          const path = join(folder, name)
          expect((await stat(path)).mode & 0o777).toBe(0o600)
          return readFile(path, 'utf8')
        }),
      )
    const first = await startProduct({ STATE_DIR: folder, EDGE: 'node' })
    const made = await secrets()
    first.child.kill('SIGTERM')
    await first.ended
    const second = await startProduct({ STATE_DIR: folder, EDGE: 'node' })
    expect(await secrets()).toEqual(made)
    second.child.kill('SIGTERM')
    await second.ended
  })
})
