import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { tryLock } from '../../shared/node/files/file-lock.ts'
import { TestHub, type Fault } from '../../test/support/model/test-hub.ts'
import { randomValues } from '../../test/support/model/write-checkpoint.ts'
import { downloadModel, readHubRecord, type DownloadModelOptions } from './download-model.ts'
import { findModel } from './find-model.ts'
import { HubError } from './hub-error.ts'

let root: string
let hub: TestHub
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'download-'))
})
afterAll(() => rm(root, { recursive: true }))

const bytes = (count: number, seed: number) =>
  new Uint8Array(randomValues(Math.ceil(count / 4), seed).buffer).subarray(0, count)
const text = (content: string) => new TextEncoder().encode(content)
const weights = 'model-00001-of-00002.safetensors'

const needed = new Map([
  ['config.json', text('{"model_type":"kimi_vl"}')],
  ['generation_config.json', text('{"temperature":0.2}')],
  ['preprocessor_config.json', text('{}')],
  ['tokenizer_config.json', text('{"a":1}')],
  ['tiktoken.model', bytes(60_000, 1)],
  ['model.safetensors.index.json', text('{"weight_map":{}}')],
  [weights, bytes(1_000_000, 2)],
  ['model-00002-of-00002.safetensors', bytes(777_777, 3)],
])
const notNeeded = new Map([
  ['README.md', text('# Kimi')],
  ['modeling_kimi_vl.py', text('import torch')],
  ['figures.png', bytes(70_000, 4)],
])

const commit = 'a'.repeat(40)
const name = { repo: 'moonshotai/Kimi-VL-Test', revision: 'main' }
const retry = { tries: 6, firstPauseMs: 1, longestPauseMs: 5, longestRetryAfterMs: 3_000 }

beforeEach(async () => {
  const started = await TestHub.start()
  hub = started
  onTestFinished(() => started.close())
  hub.models.set(name.repo, { commit, files: new Map([...needed, ...notNeeded]) })
})

let folders = 0
const setUp = (more: Partial<Omit<DownloadModelOptions, 'settings'>> = {}) => {
  const lines: string[] = []
  const options = {
    settings: { endpoint: hub.endpoint, token: 'hf_secret', cacheDir: '/nowhere', offline: false },
    checkpointsDir: join(root, String(folders++)),
    report: (line: string) => lines.push(line),
    signal: new AbortController().signal,
    retry,
    pieceBytes: 100_000,
    ...more,
  }
  const folder = join(options.checkpointsDir, 'moonshotai--Kimi-VL-Test')
  return { options, lines, folder }
}

async function expectWhole(folder: string, files: ReadonlyMap<string, Uint8Array> = needed) {
  expect((await readdir(folder)).toSorted()).toEqual([...files.keys(), 'hub.json'].toSorted())
  for (const [file, content] of files) {
    expect((await readFile(join(folder, file))).equals(content)).toBe(true)
  }
}

/** Fails in the given way the first `times` times for each path. */
function firstTimes(times: number, fault: Fault, where: RegExp) {
  const counts = new Map<string, number>()
  return ({ path: asked }: { readonly path: string }) => {
    if (!where.test(asked)) return undefined
    const count = (counts.get(asked) ?? 0) + 1
    counts.set(asked, count)
    return count > times ? undefined : fault
  }
}

describe('downloadModel()', () => {
  it('brings the files that are read, and no others, with the token for the hub alone', async () => {
    const { options, folder, lines } = setUp()
    expect(await downloadModel(name, options)).toBe(folder)
    await expectWhole(folder)
    const stored = hub.seen.filter(({ server }) => server === 'storage')
    expect(stored.length).toBeGreaterThan(18)
    expect(stored.every(({ authorization }) => authorization === undefined)).toBe(true)
    const own = hub.seen.filter(({ server }) => server === 'hub')
    expect(own.every(({ authorization }) => authorization === 'Bearer hf_secret')).toBe(true)
    expect(lines[0]).toMatch(/^downloading moonshotai\/Kimi-VL-Test at commit a{40}: 1\.8 MB$/)
    expect(lines.at(-1)).toMatch(/^downloading: done, 1\.8 MB in \d+ s$/)
  })

  it('gives nothing its name before it is whole', async () => {
    const { options, folder } = setUp()
    hub.fault = ({ path: asked }) => {
      expect(existsSync(folder)).toBe(false)
      const file = basename(asked)
      expect(existsSync(join(`${folder}.partial`, file))).toBe(false)
      return undefined
    }
    await downloadModel(name, options)
    await expectWhole(folder)
    expect(existsSync(`${folder}.partial`)).toBe(false)
  })

  it('downloads nothing that is here, and only what has changed of a new commit', async () => {
    const { options, folder } = setUp()
    await downloadModel(name, options)
    hub.seen.length = 0
    await downloadModel(name, options)
    expect(hub.seen.map(({ path: asked }) => asked)).toEqual([
      '/api/models/moonshotai/Kimi-VL-Test/revision/main',
      `/api/models/moonshotai/Kimi-VL-Test/tree/${commit}`,
    ])
    const changed = new Map([...needed, ['config.json', text('{"model_type":"new"}')] as const])
    hub.models.set(name.repo, { commit: 'b'.repeat(40), files: changed })
    hub.seen.length = 0
    await downloadModel(name, options)
    await expectWhole(folder, changed)
    expect(hub.seen.filter(({ path: asked }) => asked.includes('/resolve/'))).toHaveLength(1)
    expect((await readHubRecord(folder))?.commit).toBe('b'.repeat(40))
  })

  it('goes on where connections break, at ten places', async () => {
    for (let place = 0; place < 10; place++) {
      const { options, folder } = setUp()
      const cutAfter = Math.floor((place * 100_000) / 9)
      hub.fault = firstTimes(2, { cutAfter }, /safetensors$|tiktoken/)
      await downloadModel(name, options)
      await expectWhole(folder)
    }
  })

  it('gives up a connection that never brings anything, and says where it stood', async () => {
    const { options, folder } = setUp()
    hub.fault = ({ path: asked }) => (asked.endsWith(weights) ? { cutAfter: 0 } : undefined)
    await expect(downloadModel(name, options)).rejects.toThrow(
      new RegExp(
        `^${weights}: .*\\. What was downloaded is kept, and the next attempt continues from there$`,
      ),
    )
    expect(existsSync(folder)).toBe(false)
    hub.fault = () => undefined
    hub.seen.length = 0
    await downloadModel(name, options)
    await expectWhole(folder)
    expect(hub.seen.some(({ path: asked }) => asked.endsWith('00002.safetensors'))).toBe(true)
    expect(hub.seen.some(({ path: asked }) => asked.endsWith('tiktoken.model'))).toBe(false)
  })

  it.each([
    ['before it answers', -1],
    ['with the header of its answer', 0],
  ])('asks again when a server falls silent %s', async (_, silentAfter) => {
    const { options, folder } = setUp({ silenceMs: 300 })
    hub.fault = firstTimes(1, { silentAfter }, /00001-of-00002/)
    await downloadModel(name, options)
    await expectWhole(folder)
  })

  it('does not ask again for what came before a silence', async () => {
    const { options, folder } = setUp({ silenceMs: 300 })
    hub.fault = firstTimes(1, { silentAfter: 70_000 }, /00001-of-00002/)
    await downloadModel(name, options)
    await expectWhole(folder)
    const begins = hub.seen.flatMap(({ range }) => /^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? [])
    expect(begins.filter((at) => Number(at) % 100_000 > 0)).not.toEqual([])
  })

  it('gives up a server that stays silent, and says that nothing came', async () => {
    const { options, folder } = setUp({ silenceMs: 100, retry: { ...retry, tries: 2 } })
    hub.fault = ({ path: asked }) => (asked.endsWith(weights) ? { silentAfter: -1 } : undefined)
    const failure = `^${weights}: 127\\.0\\.0\\.1:\\d+ cannot be reached \\(Headers Timeout Error\\)`
    await expect(downloadModel(name, options)).rejects.toThrow(new RegExp(failure))
    expect(existsSync(folder)).toBe(false)
  })

  it.each([
    [429, { 'retry-after': '0' }],
    [500, {}],
    [503, { 'retry-after': new Date().toUTCString() }],
  ])('tries again after %d', async (status, headers) => {
    const { options, lines, folder } = setUp()
    hub.fault = firstTimes(2, { status, headers }, /./)
    await downloadModel(name, options)
    expect(lines[0]).toMatch(new RegExp(`answers ${status}.*; trying again in \\d+ s$`))
    await expectWhole(folder)
  })

  it('waits as long as it is asked to, but not for hours', async () => {
    const { options } = setUp()
    const begin = performance.now()
    hub.fault = firstTimes(1, { status: 429, headers: { 'retry-after': '1' } }, /revision/)
    await downloadModel(name, options)
    expect(performance.now() - begin).toBeGreaterThan(990)
    hub.fault = firstTimes(1, { status: 429, headers: { 'retry-after': '7200' } }, /revision/)
    await expect(downloadModel(name, setUp().options)).rejects.toThrow('answers 429')
  })

  it.each([
    [401, /HF_TOKEN is not valid/],
    [403, /account of HF_TOKEN may not read it/],
    [404, /Check the name and the revision/],
    [418, /does not accept this request/],
  ])('says what %d means', async (status, message) => {
    for (const where of [/revision/, /resolve.*config.json/]) {
      const { options, folder } = setUp()
      hub.fault = firstTimes(100, { status }, where)
      await expect(downloadModel(name, options)).rejects.toThrow(message)
      expect(existsSync(folder)).toBe(false)
    }
  })

  const info = /revision/
  const tree = /tree/
  it.each([
    [
      'a page of a network that asks for consent',
      info,
      '<html>',
      /is not understood: is it a hub\?$/,
    ],
    ['no model', info, 'null', /is not understood: is it a hub\?$/],
    ['no commit', info, '{"sha":"main"}', /the hub names no commit$/],
    ['half a list', tree, '[{"type":"file","path":"config', /is not understood: is it a hub\?$/],
    ['no list', tree, '{"error":"busy"}', /is not understood: is it a hub\?$/],
    [
      'nothing of a file but its name',
      tree,
      '[{"type":"file","path":"config.json"}]',
      /config\.json/,
    ],
  ])('says that what the hub answers is %s', async (_what, where, answer, message) => {
    const { options, folder } = setUp()
    hub.fault = firstTimes(100, { status: 200, text: answer }, where)
    const failed = downloadModel(name, options)
    await expect(failed).rejects.toThrow(HubError)
    await expect(failed).rejects.toThrow(message)
    expect(existsSync(folder)).toBe(false)
  })

  it.each([info, /resolve.*safetensors/])(
    'gives up what redirects in a loop: %s',
    async (where) => {
      const { options } = setUp()
      hub.fault = (request) =>
        where.test(request.path)
          ? { status: 302, headers: { location: `${hub.endpoint}${request.path}` } }
          : undefined
      await expect(downloadModel(name, options)).rejects.toThrow('redirects in a loop')
    },
  )

  it('says that nothing is there', async () => {
    const { options } = setUp()
    const settings = { ...options.settings, endpoint: 'http://127.0.0.1:9' }
    await expect(downloadModel(name, { ...options, settings })).rejects.toThrow(
      /^moonshotai\/Kimi-VL-Test@main: 127\.0\.0\.1:9 cannot be reached \(.*\)\. What was downloaded is kept/,
    )
  })

  it.each([
    [
      'another part',
      { contentRange: 'bytes 7-8/9' },
      'the server sent a different part than was requested',
    ],
    ['fewer bytes', { missing: 10 }, 'the answer is too short'],
    ['more bytes', { missing: -10 }, 'the answer is too long'],
  ])('takes no part of which the storage sends %s', async (_what, fault, message) => {
    const always = setUp()
    hub.fault = firstTimes(1_000, fault, /^\/model-00001/)
    await expect(downloadModel(name, always.options)).rejects.toThrow(message)
    expect(existsSync(always.folder)).toBe(false)
    const twice = setUp()
    hub.fault = firstTimes(2, fault, /^\/model-00001/)
    await downloadModel(name, twice.options)
    await expectWhole(twice.folder)
  })

  it('asks for HF_TOKEN where there is none', async () => {
    const { options } = setUp()
    const anonymous = { ...options, settings: { ...options.settings, token: undefined } }
    const other = { repo: 'moonshotai/Private', revision: 'main' }
    await expect(downloadModel(other, anonymous)).rejects.toThrow('or set HF_TOKEN')
  })

  it('takes another address when the storage refuses the one it was sent to', async () => {
    const { options, folder } = setUp()
    const refuse = firstTimes(1, { status: 403 }, /safetensors$/)
    hub.fault = (request) => (request.server === 'storage' ? refuse(request) : undefined)
    await downloadModel(name, options)
    await expectWhole(folder)
  })

  it('copes with a server that sends no parts, connections breaking', async () => {
    const { options, folder } = setUp()
    hub.ranged = false
    hub.fault = firstTimes(3, { cutAfter: 300_000 }, /safetensors$/)
    await downloadModel(name, options)
    await expectWhole(folder)
  })

  it('refuses bytes with another hash, and goes on when the right ones come', async () => {
    const { options, folder } = setUp()
    const wrong = needed.get(weights)!.slice()
    wrong[500_000]! ^= 1
    hub.swapped.set(weights, wrong)
    await expect(downloadModel(name, options)).rejects.toThrow(
      new RegExp(`${weights} has the sha256 [\\da-f]{64}, but the hub says [\\da-f]{64}`),
    )
    expect(existsSync(join(`${folder}.partial`, weights))).toBe(false)
    hub.swapped.clear()
    await downloadModel(name, options)
    await expectWhole(folder)
    hub.swapped.set('config.json', text('{"model_type":"kimi_xx"}'))
    await expect(downloadModel(name, setUp().options)).rejects.toThrow('config.json has the git-')
  })

  it('begins a file anew that changed between two tries', async () => {
    const { options, folder } = setUp()
    hub.swapped.set(
      weights,
      needed.get(weights)!.map((value) => value ^ 255),
    )
    let asked = 0
    hub.fault = ({ server, path: file }) => {
      if (server === 'hub' || !file.endsWith(weights)) return undefined
      // After some exchanges, the storage has different content at the same address.
      if (++asked === 4) hub.swapped.clear()
      return { cutAfter: 60_000 }
    }
    await downloadModel(name, options)
    await expectWhole(folder)
  })

  it('begins a file anew when its commit changes in mid-download', async () => {
    const { options, folder } = setUp()
    hub.fault = ({ path: file }) => (file.endsWith(weights) ? { status: 404 } : undefined)
    await expect(downloadModel(name, options)).rejects.toThrow('404')
    const changed = new Map([...needed, ['tiktoken.model', bytes(61_000, 9)] as const])
    hub.models.set(name.repo, { commit: 'c'.repeat(40), files: changed })
    hub.fault = () => undefined
    await downloadModel(name, options)
    await expectWhole(folder, changed)
  })

  it('names a model of another kind, the space that is missing, and another process at work', async () => {
    const { options, folder } = setUp()
    const without = new Map(needed)
    without.delete('tiktoken.model')
    hub.models.set(name.repo, { commit, files: without })
    await expect(downloadModel(name, options)).rejects.toThrow('has no tiktoken.model')
    hub.models.set(name.repo, { commit, files: needed })
    hub.claimedBytes.set(weights, 8e15)
    await expect(downloadModel(name, { ...options, pieceBytes: 1e12 })).rejects.toThrow(
      `Kimi-VL-Test: 8000 TB are needed in ${folder}.partial, and `,
    )
    hub.claimedBytes.clear()
    const lock = tryLock(`${folder}.lock`)!
    await expect(downloadModel(name, options)).rejects.toThrow(
      'another process is downloading into',
    )
    lock.release()
    await downloadModel(name, options)
    await expectWhole(folder, needed)
  })

  it.each([
    ['a model of another type', { config: { model_type: 'qwen2_vl' } }, 'is a qwen2_vl model'],
    [
      'a model in the form of llama.cpp',
      { files: new Map([['Kimi-VL-Q8_0.gguf', bytes(9, 1)]]) },
      "has no config.json: it is a model in llama.cpp's format (GGUF)",
    ],
    [
      'an adapter',
      { files: new Map([['adapter_config.json', text('{}')]]) },
      'has no config.json: it is an adapter for another model',
    ],
  ])('says of %s what it is', async (_what, model, message) => {
    const { options } = setUp()
    hub.models.set(name.repo, { commit, files: needed, ...model })
    await expect(downloadModel(name, options)).rejects.toThrow(`Kimi-VL-Test ${message}`)
    expect(hub.seen.some(({ path }) => path.includes('/resolve/'))).toBe(false)
  })

  it('has the small files checked before it fetches the weights', async () => {
    const { options, folder } = setUp()
    const check = async (checked: string) => {
      expect(checked).toBe(`${folder}.partial`)
      expect(await readFile(join(checked, 'config.json'), 'utf8')).toContain('kimi_vl')
      throw new Error('no such model')
    }
    await expect(downloadModel(name, { ...options, check })).rejects.toThrow('no such model')
    expect(hub.seen.some(({ path }) => path.includes('.safetensors'))).toBe(false)
    await downloadModel(name, options)
    await expectWhole(folder)
  })

  // Linux has a device that is always full.
  it.skipIf(!existsSync('/dev/full'))('says that the disk is full, and goes on later', async () => {
    const { options, folder } = setUp()
    const partial = `${folder}.partial`
    await mkdir(partial, { recursive: true })
    await symlink('/dev/full', join(partial, `${weights}.partial`))
    // The state cannot be saved either.
    await mkdir(join(partial, 'download.json'))
    await expect(downloadModel(name, options)).rejects.toThrow(
      `cannot write ${partial}/${weights}.partial: the disk is full; what was downloaded is kept, and the next attempt continues from there`,
    )
    expect(existsSync(folder)).toBe(false)
    expect(existsSync(join(partial, weights))).toBe(false)
    await rm(join(partial, `${weights}.partial`))
    await rm(join(partial, 'download.json'), { recursive: true })
    await downloadModel(name, options)
    await expectWhole(folder)
  })

  it('ends when aborted, and keeps what has arrived', async () => {
    const ending = new AbortController()
    const { options, folder, lines } = setUp({ signal: ending.signal, reportIntervalMs: 0 })
    const report = (line: string) => {
      lines.push(line)
      if (/: [2-9]\d %/.test(line)) ending.abort(new Error('enough'))
    }
    hub.pauseMs = 5
    await expect(downloadModel(name, { ...options, report })).rejects.toThrow('enough')
    expect(existsSync(folder)).toBe(false)
    await downloadModel(name, { ...options, signal: new AbortController().signal })
    await expectWhole(folder)
    expect(lines.some((line) => /, \d.* of it already here$/.test(line))).toBe(true)
  })
})

describe('findModel()', () => {
  it('leaves a folder as it is', async () => {
    const { options } = setUp()
    expect(await findModel('models/kimi-vl-nano', options)).toBe('models/kimi-vl-nano')
    expect(await findModel('/nowhere/at/all', options)).toBe('/nowhere/at/all')
    expect(hub.seen).toEqual([])
  })

  it('downloads once, and asks nobody afterwards', async () => {
    const { options, folder } = setUp()
    expect(await findModel(name.repo, options)).toBe(folder)
    hub.seen.length = 0
    expect(await findModel(`https://huggingface.co/${name.repo}`, options)).toBe(folder)
    expect(hub.seen).toEqual([])
  })

  it("uses a whole snapshot in the hub's own cache, and only a whole one", async () => {
    const { options, folder } = setUp()
    const cacheDir = join(root, 'cache')
    const cached = join(cacheDir, 'models--moonshotai--Kimi-VL-Test')
    const snapshot = join(cached, 'snapshots', commit)
    await mkdir(snapshot, { recursive: true })
    await mkdir(join(cached, 'refs'))
    await mkdir(join(cached, 'blobs'))
    await writeFile(join(cached, 'refs', 'main'), commit)
    const map = { weight_map: { a: weights } }
    for (const [file, content] of needed) {
      const blob = join(cached, 'blobs', file)
      await writeFile(blob, file.endsWith('index.json') ? JSON.stringify(map) : content)
      await symlink(relative(snapshot, blob), join(snapshot, file))
    }
    const withCache = { ...options, settings: { ...options.settings, cacheDir } }
    expect(await findModel(name.repo, withCache)).toBe(snapshot)
    expect(await findModel(`${name.repo}@${commit}`, withCache)).toBe(snapshot)
    await rm(join(cached, 'blobs', weights))
    expect(await findModel(name.repo, withCache)).toBe(folder)
  })

  it('says that there is no such folder either, and downloads nothing for a folder that is misspelt or where that is forbidden', async () => {
    const { options } = setUp()
    expect(await findModel('models/no-such', options)).toBe('models/no-such')
    await expect(findModel('nobody/no-such', options)).rejects.toThrow(
      /^there is no folder nobody\/no-such, and as a model on the hub: .* 401 /,
    )
    const offline = { ...options, settings: { ...options.settings, offline: true } }
    hub.seen.length = 0
    await expect(findModel(name.repo, offline)).rejects.toThrow('HF_HUB_OFFLINE')
    expect(hub.seen).toEqual([])
  })
})

describe('a part of a model', () => {
  it('has no weights, and a folder of its own beside the whole', async () => {
    const { options } = setUp()
    const small = await downloadModel(name, { ...options, part: 'small' })
    expect(basename(small)).toBe('moonshotai--Kimi-VL-Test.small')
    const has = (await readdir(small)).filter((file) => file.includes('safetensors'))
    expect(has).toEqual([])
    expect(await readFile(join(small, 'config.json'), 'utf8')).toContain('kimi_vl')
    expect(await findModel(name.repo, { ...options, part: 'small' })).toBe(small)
    const whole = await findModel(name.repo, options)
    expect(await readdir(whole)).toContain(weights)
    expect(await findModel(name.repo, { ...options, part: 'small' })).toBe(whole)
  })
})
