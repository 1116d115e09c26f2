import { spawn } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { ServiceError } from '../../shared/api/errors.ts'
import type { FakeChildBehaviour } from '../../test/support/inference/fake-child.ts'
import { fakeInit } from '../../test/support/inference/fake-init.ts'
import { FakeModel } from '../../test/support/inference/fake-model.ts'
import { createJob, imagePrompt, readAnswer } from '../../test/support/inference/jobs.ts'
import { createEngine } from '../engine/engine.ts'
import type { GenerateJob } from '../engine/job.ts'
import { createInference, type Inference } from './supervisor.ts'

const never = new AbortController().signal
type Options = Partial<Parameters<typeof createInference>[0]>

const quick = { firstMs: 1, mostMs: 4, healthyMs: 60_000 }
const program = (name: string) =>
  fileURLToPath(new URL(`../../test/support/inference/${name}.ts`, import.meta.url))
const entry = program('fake-child')
const open: Inference[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map((inference) => inference.close()))
})

/** An inference process, what it logged, and the process ids it had. */
function start(behaviour: FakeChildBehaviour = {}, options: Options = {}) {
  const logged: string[] = []
  const pids: number[] = []
  const log = (_: unknown, text: string) => {
    const pid = /^pid (\d+)$/.exec(text)?.[1]
    if (pid === undefined) logged.push(text)
    else pids.push(Number(pid))
  }
  const init = fakeInit(behaviour)
  const inference = createInference({
    entry,
    environment: process.env,
    init,
    log,
    restartDelays: quick,
    ...options,
  })
  open.push(inference)
  return { inference, logged, pids }
}

async function startReady(behaviour?: FakeChildBehaviour, options?: Options) {
  const started = start(behaviour, options)
  await started.inference.ready()
  return started
}

function answer(inference: Inference, job: GenerateJob, signal = never) {
  return readAnswer(inference.generate(job, signal))
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await wait(5)
}

/** A job that runs until it is stopped, and is running when this settles. */
async function startEndless(inference: Inference, signal = never) {
  const job = createJob({ maxTokens: 4000, stopIds: [] })
  const result = answer(inference, job, signal).then(
    () => undefined,
    (error: ServiceError) => error,
  )
  await until(() => inference.snapshot().slotsInUse > 0)
  return result.then.bind(result)
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    if (process.platform !== 'linux') return true
    // Nobody may be left to collect the exit status of an orphan.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describe('createInference()', () => {
  it('answers as an engine in this process does, texts and images, several at once', async () => {
    const sampling = { temperature: 0.8, topP: 0.9, seed: 2 ** 52 + 1 }
    const jobs = [
      createJob({ maxTokens: 30 }),
      createJob({ ...imagePrompt([40, 60], [2, 4]), sampling }),
      createJob({ promptIds: Int32Array.from([9, 8, 7, 6]).subarray(1), sampling }),
    ]
    const local = createEngine({ model: new FakeModel({ contextTokens: 4096 }), queueLimit: 9 })
    const expected = await Promise.all(jobs.map((job) => readAnswer(local.generate(job, never))))
    const { inference } = await startReady()
    const answers = await Promise.all(jobs.map((job) => answer(inference, job)))
    expect(answers.map(({ ids }) => ids)).toEqual(expected.map(({ ids }) => ids))
    expect(answers.map(({ types }) => types[0])).toEqual(['queued', 'queued', 'queued'])
  })

  it('says how far a process is that cannot send messages while it loads', async () => {
    const { inference, logged } = start({ loaded: 40, load: 'never' })
    await until(() => inference.startUp().loaded !== undefined)
    expect(inference.startUp().loaded).toEqual({ doneBytes: 40, totalBytes: 100 })
    expect(logged).toEqual(['loading'])
  })

  it('passes on errors of the engine whole', async () => {
    const { inference } = await startReady()
    const job = createJob({ promptIds: new Int32Array(5000) })
    const error = await answer(inference, job).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ServiceError)
    expect(error).toMatchObject({ code: 'context_length_exceeded', param: 'prompt', status: 400 })
    expect((error as ServiceError).retryAfterSeconds).toBeUndefined()
  })

  it('survives a job the engine refuses as a mistake, and logs why', async () => {
    const { inference, logged } = await startReady({ stepMs: 1 })
    const job = createJob({ maxTokens: 20, stopIds: [] })
    const results = await Promise.allSettled([answer(inference, job), answer(inference, job)])
    expect(results[0]).toMatchObject({ status: 'fulfilled' })
    expect(results[1]).toMatchObject({ reason: { code: 'internal' } })
    expect(logged.join()).toContain('A job with this id is running')
    expect(inference.state()).toBe('ready')
  })

  it('frees the slot when the signal aborts, at the latest after the running step', async () => {
    const { inference } = await startReady({ stepMs: 2 })
    const controller = new AbortController()
    const result = await startEndless(inference, controller.signal)
    controller.abort()
    expect(await result((error) => error?.code)).toBe('cancelled')
    await until(() => inference.snapshot().slotsInUse === 0)
    expect(inference.snapshot()).toMatchObject({ queued: 0, cachedTokens: 0 })
  })

  it('frees the slot when the reader leaves the loop', async () => {
    const { inference } = await startReady({ stepMs: 2 })
    for await (const event of inference.generate(createJob({ maxTokens: 4000 }), never)) {
      if (event.type === 'tokens') break
    }
    await until(() => inference.snapshot().slotsInUse === 0)
    const { steps } = inference.snapshot()
    await answer(inference, createJob({ maxTokens: 1 }))
    expect(inference.snapshot().steps).toBeLessThanOrEqual(steps + 2)
  })

  it('stops one choice when it is asked to, and lets the other go on', async () => {
    const { inference } = await startReady({ stepMs: 1 })
    const job = createJob({ maxTokens: 200, stopIds: [], choices: 2 })
    const counts = [0, 0]
    let reasons: readonly string[] | undefined
    const generation = inference.generate(job, never)
    for await (const event of generation) {
      if (event.type === 'tokens') {
        counts[event.choice]! += event.ids.length
        if (counts[0]! > 3) generation.stop(0)
      }
      if (event.type === 'end') reasons = event.finishReasons
    }
    expect(reasons).toEqual(['stop', 'length'])
    expect(counts[0]).toBeLessThan(200)
    expect(counts[1]).toBe(200)
    await until(() => inference.snapshot().slotsInUse === 0)
  })

  it('leaves no listeners behind', async () => {
    const { inference } = await startReady()
    const { signal } = new AbortController()
    for (let i = 0; i < 20; i++) await answer(inference, createJob(), signal)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})

describe('a child that dies', () => {
  it('ends running jobs with engine_restarted, refuses new ones until it is ready again', async () => {
    const { inference, logged, pids } = await startReady(
      { stepMs: 2 },
      { restartDelays: { ...quick, firstMs: 50 } },
    )
    const result = await startEndless(inference)
    process.kill(pids[0]!, 'SIGKILL')
    expect(await result((error) => error)).toMatchObject({
      code: 'engine_restarted',
      status: 503,
      retryAfterSeconds: expect.any(Number) as number,
    })
    expect(inference.state()).toBe('restarting')
    expect(inference.snapshot()).toMatchObject({ slotsInUse: 0, queued: 0, cachedTokens: 0 })
    await expect(answer(inference, createJob())).rejects.toMatchObject({
      code: 'model_loading',
      status: 503,
    })
    await until(() => inference.state() === 'ready')
    expect((await answer(inference, createJob())).end.finishReasons).toBeDefined()
    expect(pids).toHaveLength(2)
    expect(logged.join()).toContain('signal SIGKILL')
  })

  it('ends waiting jobs too when it crashes in a step', async () => {
    const { inference, logged } = await startReady({ deadlyId: 50, stepMs: 1 })
    const jobs = Array.from({ length: 9 }, () =>
      answer(inference, createJob({ maxTokens: 500, stopIds: [] })),
    )
    jobs.push(answer(inference, createJob({ promptIds: Int32Array.of(50) })))
    for (const job of await Promise.allSettled(jobs)) {
      expect(job).toMatchObject({ reason: { code: 'engine_restarted' } })
    }
    expect(logged.join()).toContain('exit code 7')
    await until(() => inference.state() === 'ready')
  })

  it('may die again and again', async () => {
    let readies = 0
    const { inference, pids } = start()
    inference.onReady(() => (readies += 1))
    await inference.ready()
    for (let i = 0; i < 3; i++) {
      process.kill(pids[i]!, 'SIGKILL')
      await until(() => pids.length === i + 2 && inference.state() === 'ready')
    }
    expect([readies, inference.startUp().starts]).toEqual([4, 4])
    expect((await answer(inference, createJob())).types).toContain('end')
  })
})

describe('a child that hangs', () => {
  const silenceLimits = { loadingMs: 60_000, servingMs: 1_500, idleMs: 60_000 }

  it('while it is idle is killed and replaced', async () => {
    const { inference, logged, pids } = await startReady({}, { silenceLimits })
    process.kill(pids[0]!, 'SIGSTOP')
    await until(() => inference.state() === 'restarting')
    await until(() => inference.state() === 'ready')
    expect(isRunning(pids[0]!)).toBe(false)
    expect(pids).toHaveLength(2)
    expect(logged.join()).toMatch(/hangs: it gave no sign of life for \d+ ms; it restarts/)
    expect((await answer(inference, createJob())).types).toContain('end')
  })

  it('while it works ends its jobs with engine_restarted', async () => {
    const { inference, pids } = await startReady({ stepMs: 2 }, { silenceLimits })
    await answer(inference, createJob())
    const result = await startEndless(inference)
    process.kill(pids[0]!, 'SIGSTOP')
    expect(await result((error) => error)).toMatchObject({ code: 'engine_restarted', status: 503 })
    expect(inference.state()).toBe('restarting')
    await until(() => inference.state() === 'ready')
  })

  it.runIf(process.platform === 'linux')('in its very first step is noticed too', async () => {
    const limits = { ...silenceLimits, idleMs: 1_500 }
    const { inference, pids } = await startReady({ blockMs: 600_000 }, { silenceLimits: limits })
    const error = answer(inference, createJob()).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(await error).toMatchObject({ code: 'engine_restarted', status: 503 })
    await until(() => !isRunning(pids[0]!))
    await until(() => inference.state() === 'ready')
  })

  it('is not one whose steps take long', async () => {
    const { inference, pids } = await startReady({ blockMs: 2_500 }, { silenceLimits })
    const { types } = await answer(inference, createJob({ maxTokens: 2, stopIds: [] }))
    expect(types).toContain('end')
    expect(pids).toHaveLength(1)
  })

  it('while it loads is tried three times', async () => {
    const { inference, logged } = start(
      { load: 'never' },
      { silenceLimits: { ...silenceLimits, loadingMs: 2_000 } },
    )
    await expect(inference.ready()).rejects.toThrow('hangs')
    expect(inference.state()).toBe('failed')
    // Each but the last time it is started again.
    expect(logged.filter((text) => text.includes('hangs'))).toHaveLength(2)
  })
})

describe('loading', () => {
  it('refuses jobs meanwhile', async () => {
    const { inference } = start({ load: 'never' })
    expect(inference.state()).toBe('loading')
    await expect(answer(inference, createJob())).rejects.toMatchObject({ code: 'model_loading' })
  })

  it('that fails is final, and ready() says why', async () => {
    const { inference, pids } = start({ load: 'fail' })
    await expect(inference.ready()).rejects.toThrow(
      'Cannot load the model: model.safetensors is missing',
    )
    expect(inference.state()).toBe('failed')
    expect(pids).toHaveLength(1)
    await expect(answer(inference, createJob())).rejects.toMatchObject({
      code: 'backend_unavailable',
    })
  })

  it('that kills the process is tried three times', async () => {
    const { inference, pids } = start({ load: 'die' })
    await expect(inference.ready()).rejects.toThrow('signal SIGKILL')
    expect(inference.state()).toBe('failed')
    expect(pids).toHaveLength(3)
  })
})

describe('close()', () => {
  it('ends running jobs with shutting_down and the process by request', async () => {
    const { inference, pids, logged } = await startReady({ stepMs: 2 })
    const result = await startEndless(inference)
    await inference.close()
    expect(await result((error) => error?.code)).toBe('shutting_down')
    expect(isRunning(pids[0]!)).toBe(false)
    expect(inference.state()).toBe('stopped')
    await expect(answer(inference, createJob())).rejects.toMatchObject({ code: 'shutting_down' })
    expect(logged).toEqual([])
  })

  it('kills a process that does not end in time', async () => {
    const { inference, pids } = await startReady({ stepMs: 60_000 }, { closeTimeoutMs: 20 })
    void answer(inference, createJob()).catch(() => {})
    await until(() => inference.snapshot().slotsInUse + inference.snapshot().queued > 0)
    await inference.close()
    expect(isRunning(pids[0]!)).toBe(false)
  })

  it('ends a process that is still loading', async () => {
    const { inference, pids } = start({ load: 'never' })
    await until(() => pids.length === 1)
    await inference.close()
    await expect(inference.ready()).rejects.toMatchObject({ code: 'shutting_down' })
    expect(isRunning(pids[0]!)).toBe(false)
  })

  it('calls off a restart', async () => {
    const { inference, pids } = await startReady(
      {},
      { restartDelays: { ...quick, firstMs: 60_000 } },
    )
    process.kill(pids[0]!, 'SIGKILL')
    await until(() => inference.state() === 'restarting')
    await inference.close()
    expect(pids).toHaveLength(1)
  })
})

describe('the inference process', () => {
  it('leaves signals of the terminal to its parent', async () => {
    const { inference, pids } = await startReady()
    process.kill(pids[0]!, 'SIGINT')
    process.kill(pids[0]!, 'SIGTERM')
    expect((await answer(inference, createJob())).types).toContain('end')
  })

  it('ends when its parent is killed', async () => {
    const parent = spawn(process.execPath, [program('fake-parent'), entry], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const lines: string[] = []
    for await (const line of createInterface(parent.stdout)) {
      lines.push(line)
      if (line === 'ready') break
    }
    const pid = Number(/^pid (\d+)$/.exec(lines[0]!)?.[1])
    expect(isRunning(pid)).toBe(true)
    parent.kill('SIGKILL')
    await until(() => !isRunning(pid))
  })
})
