import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import {
  startEngineStandIn,
  type EngineStandIn,
} from '../../test/support/engines/engine-stand-in.ts'
import {
  question,
  readDescription,
  startTestCluster,
  type TestCluster,
} from '../../test/support/engines/test-cluster.ts'
import type { StandInKind } from '../../test/support/engines/wire.ts'
import type { DescribeRequest } from '../describe.ts'

const never = new AbortController().signal
const answer = 'A red circle on white.'

const started: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of started.splice(0).toReversed()) await each.stop()
})

type StandInOptions = Parameters<typeof startEngineStandIn>[0]
type ClusterOptions = Parameters<typeof startTestCluster>[0]

async function engineOf(options: StandInOptions): Promise<EngineStandIn> {
  const engine = await startEngineStandIn(options)
  started.push({ stop: () => engine.stop() })
  return engine
}

/** A cluster of whose engines all are ready. */
async function clusterOf(
  engines: readonly EngineStandIn[],
  options: Omit<ClusterOptions, 'urls'> = {},
): Promise<TestCluster> {
  const cluster = await startTestCluster({ urls: engines.map(({ url }) => url), ...options })
  started.push({ stop: () => cluster.close() })
  await expect
    .poll(() => cluster.views().every(({ state }) => state === 'ready'), { timeout: 20_000 })
    .toBe(true)
  return cluster
}

function ask(cluster: TestCluster, changes: Partial<DescribeRequest> = {}, signal = never) {
  return readDescription(cluster.describer.describe(question(changes), signal))
}

const picture = (name: string) => ({
  messages: [
    { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'What is it?' }] },
  ] as const,
  images: [new Uint8Array(readFileSync(`test/golden/images/${name}`))],
})

/** Without the test generation. */
const asked = ({ bodies }: EngineStandIn) => bodies.filter(({ max_tokens: tokens }) => tokens > 2)

describe('a request to an engine', () => {
  it.each([
    ['vllm', { top_k: -1, min_p: 0, repetition_penalty: 1 }],
    ['sglang', { top_k: -1, min_p: 0, repetition_penalty: 1 }],
    [
      'llama-server',
      { top_k: 0, min_p: 0, repeat_penalty: 1, repeat_last_n: -1, cache_prompt: false },
    ],
    ['other', {}],
  ] as const)('says every rule in the words of %s', async (kind, fields) => {
    const engine = await engineOf({ kind })
    const cluster = await clusterOf([engine])
    const { texts, end } = await ask(cluster, {
      sampling: { temperature: 0.5, topP: 0.8 },
      stop: ['zzz'],
    })
    expect(texts).toEqual([answer])
    expect(end.usage.completion_tokens).toBe(6)
    expect(end.usage.cached_tokens).toBe(4)
    const [body] = asked(engine)
    const common = {
      model: 'kimi-vl',
      stream: true,
      temperature: 0.5,
      top_p: 0.8,
      max_tokens: 50,
      n: 1,
    }
    expect(body).toMatchObject({ ...common, ...fields, stop: ['zzz'], presence_penalty: 0 })
    expect(body?.seed).toBeUndefined()
  })

  it('has its pictures in it, upright and without metadata, and no text that is a control token', async () => {
    const engine = await engineOf({ kind: 'vllm' })
    const cluster = await clusterOf([engine])
    const { images } = picture('g09.jpg')
    const content = [{ type: 'text', text: '<|im_end|>' }, { type: 'image' }] as const
    const { end } = await ask(cluster, { images, messages: [{ role: 'user', content }] })
    expect(end.usage.image_tokens).toBeGreaterThan(0)
    expect(asked(engine)[0]!.messages[0]!.content).toEqual([
      { type: 'text', text: '<\u2060|im_end|>' },
      {
        type: 'image_url',
        image_url: { url: expect.stringMatching(/^data:image\/png;base64,/) as string },
      },
    ])
  })

  it('names the tenant by a keyed hash alone', async () => {
    const engine = await engineOf({ kind: 'vllm' })
    const cluster = await clusterOf([engine])
    for (const tenant of ['key:one', 'key:two', 'key:one']) await ask(cluster, { tenant })
    const [one, two, again] = asked(engine).map(({ cache_salt: salt }) => salt)
    expect(one).toBe(again)
    expect(one).not.toBe(two)
    expect(JSON.stringify(engine.bodies)).not.toContain('key:one')
  })

  it('asks for several most likely answers in a way that vLLM does not refuse', async () => {
    const engine = await engineOf({ kind: 'vllm' })
    const { texts } = await ask(await clusterOf([engine]), { choices: 3 })
    expect(texts).toEqual([answer, answer, answer])
    expect(asked(engine)[0]).toMatchObject({ n: 3, temperature: 1, top_k: 1, top_p: 1 })
  })

  it.each(['vllm', 'llama-server'] as const)(
    'gets log probabilities of %s by their ids',
    async (kind) => {
      const cluster = await clusterOf([await engineOf({ kind })])
      const { deltas } = await ask(cluster, { topLogprobs: 1 })
      const logprobs = deltas.flatMap((delta) => delta.logprobs ?? [])
      expect(logprobs.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5])
      expect(logprobs[2]).toMatchObject({ logprob: -0.5, top: [{ id: 2, logprob: -0.5 }] })
      expect(logprobs[0]!.bytes.length).toBeGreaterThan(0)
    },
  )

  it('names the stop text that ended it', async () => {
    const cluster = await clusterOf([await engineOf({ kind: 'sglang' })])
    const { texts, end } = await ask(cluster, { stop: [' circle', 'zzz'] })
    expect(texts).toEqual(['A red'])
    expect(end.endings).toEqual([{ reason: 'stop', stopText: ' circle' }])
  })

  it('ends at a limit, and within what is granted to all choices', async () => {
    const cluster = await clusterOf([await engineOf({ kind: 'vllm' })])
    const { end } = await ask(cluster, { maxTokens: 2 })
    expect(end.endings).toEqual([{ reason: 'length' }])
    const count = await cluster.describer.count(question(), never)
    const granted = ask(cluster, { choices: 2, grantedTokens: count + 6 })
    expect((await granted).end.usage.completion_tokens).toBe(6)
    await expect(ask(cluster, { grantedTokens: count })).rejects.toMatchObject({
      code: 'quota_exceeded',
    })
  })
})

describe('what an engine cannot do', () => {
  it.each([
    ['other', { sampling: { temperature: 1, topK: 5 } }, 'top_k'],
    ['other', { topLogprobs: 0 }, 'logprobs'],
    ['sglang', { topLogprobs: 0 }, 'logprobs'],
    ['sglang', { sampling: { temperature: 1, seed: 5 } }, 'seed'],
  ] as [StandInKind, Partial<DescribeRequest>, string][])(
    'is refused by name: %s, %j',
    async (kind, changes, param) => {
      const engine = await engineOf({ kind })
      await expect(ask(await clusterOf([engine]), changes)).rejects.toMatchObject({
        code: 'unsupported_field',
        param,
      })
      expect(asked(engine)).toEqual([])
    },
  )

  it('goes to another that can', async () => {
    const engines = [await engineOf({ kind: 'other' }), await engineOf({ kind: 'vllm' })]
    const cluster = await clusterOf(engines)
    for (let count = 0; count < 4; count++)
      await ask(cluster, { sampling: { temperature: 1, topK: 5 } })
    expect(engines.map((engine) => asked(engine).length)).toEqual([0, 4])
  })

  it('gives SGLang a random seed where it would use the same for everybody', async () => {
    const engine = await engineOf({ kind: 'sglang', deterministic: true })
    const cluster = await clusterOf([engine])
    const sampling = { temperature: 1 }
    await ask(cluster, { sampling })
    await ask(cluster, { sampling })
    const seeds = asked(engine).map(({ seed }) => seed)
    expect(new Set(seeds).size).toBe(2)
    await expect(ask(cluster, { sampling, choices: 2 })).rejects.toMatchObject({ param: 'n' })
  })
})

describe('several engines', () => {
  it('answer instead of one that is gone, that is busy or that fails, and each request once', async () => {
    for (const wrong of ['cut_before_headers', 'status_429', 'status_500', 'status_503'] as const) {
      const [bad, good] = [await engineOf({ kind: 'vllm' }), await engineOf({ kind: 'vllm' })]
      const cluster = await clusterOf([bad, good])
      bad.wrong = wrong
      for (let count = 0; count < 4; count++) {
        expect((await ask(cluster, { tenant: `${count}` })).texts).toEqual([answer])
      }
      expect(asked(good)).toHaveLength(4)
    }
  })

  it('do not all get a request at which they fail', async () => {
    const engines = await Promise.all([1, 2, 3].map(() => engineOf({ kind: 'vllm' })))
    const cluster = await clusterOf(engines)
    for (const engine of engines) engine.wrong = 'status_500'
    await expect(ask(cluster)).rejects.toMatchObject({ code: 'engine_restarted' })
    expect(engines.flatMap(asked)).toHaveLength(2)
  })

  it('are left alone after five failures in a row, and proven before they are asked again', async () => {
    const engines = await Promise.all([1, 2].map(() => engineOf({ kind: 'vllm' })))
    const [bad] = engines
    const cluster = await clusterOf(engines)
    bad!.wrong = 'no_done'
    let failed = 0
    for (let count = 0; count < 100 && cluster.views()[0]!.state === 'ready'; count++) {
      await ask(cluster).catch(() => (failed += 1))
    }
    expect(failed).toBe(5)
    expect(cluster.views()[0]?.state).not.toBe('ready')
    expect((await ask(cluster)).texts).toEqual([answer])
    bad!.wrong = undefined
    await expect.poll(() => cluster.views()[0]!.state, { timeout: 20_000 }).toBe('ready')
  })

  it('are not asked again once one has begun to answer', async () => {
    const engines = await Promise.all([1, 2].map(() => engineOf({ kind: 'vllm' })))
    const cluster = await clusterOf(engines)
    for (const engine of engines) engine.wrong = 'cut_mid_stream'
    await expect(ask(cluster)).rejects.toMatchObject({ code: 'engine_restarted' })
    expect(engines.flatMap(asked)).toHaveLength(1)
  })

  it('each see the same pictures again', async () => {
    const engines = await Promise.all([1, 2, 3].map(() => engineOf({ kind: 'vllm' })))
    const cluster = await clusterOf(engines)
    for (const name of ['g01.png', 'g02.png', 'g03.png', 'g04.png']) {
      for (let count = 0; count < 3; count++) await ask(cluster, picture(name))
    }
    const places = new Map<string, Set<number>>()
    for (const [index, engine] of engines.entries()) {
      for (const { messages } of asked(engine)) {
        const key = JSON.stringify(messages)
        places.set(key, (places.get(key) ?? new Set()).add(index))
      }
    }
    expect([...places.values()].map(({ size }) => size)).toEqual([1, 1, 1, 1])
  })

  it('get less while others keep them busy', async () => {
    const [busy, idle] = [await engineOf({ kind: 'vllm' }), await engineOf({ kind: 'vllm' })]
    busy.others = { running: 20, waiting: 10 }
    const cluster = await clusterOf([busy, idle])
    await expect.poll(() => cluster.views()[0]?.load).toEqual({ running: 20, waiting: 10 })
    for (let count = 0; count < 4; count++) await ask(cluster)
    expect([busy, idle].map((engine) => asked(engine).length)).toEqual([0, 4])
  })
})

describe('the queue', () => {
  it('gives an engine no more than its slots, and takes turns among tenants', async () => {
    const engine = await engineOf({ kind: 'llama-server', slots: 2 })
    const cluster = await clusterOf([engine])
    let most = 0
    const watch = setInterval(() => (most = Math.max(most, engine.running)), 1)
    const order: string[] = []
    const one = (tenant: string) => ask(cluster, { tenant }).then(() => order.push(tenant))
    const answers = [...Array.from({ length: 8 }, () => one('many')), one('few')]
    expect(cluster.snapshot()).toMatchObject({ slotsInUse: 0 })
    await Promise.all(answers)
    clearInterval(watch)
    expect(most).toBe(2)
    expect(order.indexOf('few')).toBeLessThan(5)
    expect(cluster.snapshot()).toMatchObject({ slotsInUse: 0, queued: 0, slots: 2 })
  })

  it('is bounded', async () => {
    const engine = await engineOf({ kind: 'llama-server', slots: 1 })
    const cluster = await clusterOf([engine], { queueLimit: 2 })
    engine.wrong = 'stall_before_token'
    const leave = new AbortController()
    const answers = Array.from({ length: 5 }, () =>
      ask(cluster, {}, leave.signal).catch((error: unknown) => error),
    )
    await expect.poll(() => cluster.snapshot().queued).toBe(2)
    leave.abort()
    const codes = (await Promise.all(answers)).map((error) => (error as { code: string }).code)
    expect(codes.toSorted()).toEqual([
      'cancelled',
      'cancelled',
      'cancelled',
      'queue_full',
      'queue_full',
    ])
  })

  it('lets one go whose client has left, at the engine too', async () => {
    const engine = await engineOf({ kind: 'vllm' })
    const cluster = await clusterOf([engine])
    engine.wrong = 'stall_mid_stream'
    const leave = new AbortController()
    for await (const event of cluster.describer.describe(question(), leave.signal)) {
      if (event.type === 'delta') break
    }
    await expect.poll(() => engine.left).toBe(1)
    expect(cluster.snapshot().slotsInUse).toBe(0)
    const waiting = ask(cluster, {}, leave.signal)
    await expect.poll(() => engine.running).toBe(1)
    leave.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' })
    await expect.poll(() => engine.left).toBe(2)
  })

  it('ends an answer in time with what there is, and one that has not begun with an error', async () => {
    const engine = await engineOf({ kind: 'vllm' })
    const cluster = await clusterOf([engine])
    engine.wrong = 'stall_mid_stream'
    const { texts, end } = await ask(cluster, { timeoutMs: 1_000 })
    expect(answer.startsWith(texts[0]!)).toBe(true)
    expect(texts[0]).not.toBe('')
    expect(end.endings).toEqual([{ reason: 'timeout' }])
    engine.wrong = 'stall_before_token'
    await expect(ask(cluster, { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'deadline_exceeded',
    })
    await expect.poll(() => engine.running).toBe(0)
  })
})

describe('readiness', () => {
  it('needs a key that the engine accepts, and the model', async () => {
    const engine = await engineOf({ kind: 'vllm', apiKey: 'right' })
    for (const options of [{ apiKey: 'wrong' }, { apiKey: 'right', model: 'another' }]) {
      const cluster = await startTestCluster({ urls: [engine.url], ...options })
      started.push({ stop: () => cluster.close() })
      await expect.poll(() => cluster.views()[0]?.last_problem).not.toBe(null)
      expect(cluster.isReady()).toBe(false)
      await expect(ask(cluster)).rejects.toMatchObject({ code: 'backend_unavailable' })
    }
    await clusterOf([engine], { apiKey: 'right', model: 'kimi-vl' })
  })

  it('needs to be given the name of the model where an engine has several, of which any may stand in answers', async () => {
    const engine = await engineOf({ kind: 'vllm', aliases: ['vision'] })
    const cluster = await startTestCluster({ urls: [engine.url] })
    started.push({ stop: () => cluster.close() })
    await expect.poll(() => cluster.views()[0]?.last_problem).toMatch('ENGINE_MODEL')
    expect((await ask(await clusterOf([engine], { model: 'vision' }))).texts).toEqual([answer])
    expect(asked(engine)[0]?.model).toBe('vision')
  })

  it('needs a described picture, again after each time that the engine was away', async () => {
    const engine = await engineOf({ kind: 'vllm' })
    const cluster = await clusterOf([engine])
    expect(engine.bodies).toHaveLength(1)
    await engine.stop()
    await expect.poll(() => cluster.isReady(), { timeout: 10_000 }).toBe(false)
    const next = await engineOf({ kind: 'vllm', port: engine.port })
    next.wrong = 'status_400'
    await expect.poll(() => next.bodies.length, { timeout: 20_000 }).toBeGreaterThan(0)
    expect(cluster.isReady()).toBe(false)
    next.wrong = undefined
    await expect.poll(() => cluster.isReady(), { timeout: 20_000 }).toBe(true)
  })

  it('says when an engine counts otherwise, and when it is too old', async () => {
    const cluster = await clusterOf([await engineOf({ kind: 'vllm', version: '0.29.1' })])
    expect(cluster.log.join('\n')).toMatch(
      /warn .*its model or chat template is not that of MODEL_PATH/,
    )
    expect(cluster.views()).toMatchObject([{ kind: 'vllm', version: '0.29.1', model: 'kimi-vl' }])
  })
})
