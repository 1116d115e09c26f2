import { link, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { makeFolder } from '../../shared/node/files/make-folder.ts'
import { tryLock } from '../../shared/node/files/file-lock.ts'
import { missingSpace } from '../../shared/node/files/free-space.ts'
import { formatBytes } from '../../shared/progress/amounts.ts'
import { Progress, type Report } from '../../shared/progress/progress.ts'
import { downloadFiles } from './download-files.ts'
import { DownloadState } from './download-state.ts'
import { HubClient } from './hub-client.ts'
import { HubError } from './hub-error.ts'
import { folderNameOf, type HubName, type ModelPart } from './hub-name.ts'
import type { HubSettings } from './hub-settings.ts'
import { hubFileSchema, isWeights, listModel, type HubModel } from './list-model.ts'
import { PartialFile } from './partial-file.ts'
import { defaultRetryPolicy, PassingError, type RetryPolicy } from './retry.ts'

/** Milliseconds between two saves of the download's state: the most progress a crash can cost. */
const saveIntervalMs = 1_000

const recordFile = 'hub.json'

/** What a downloaded folder was made from. */
const recordSchema = z.object({
  endpoint: z.string(),
  repo: z.string(),
  revision: z.string(),
  commit: z.string(),
  files: z.array(hubFileSchema).readonly(),
})
export type HubRecord = z.infer<typeof recordSchema>

export interface DownloadModelOptions {
  readonly settings: Pick<HubSettings, 'endpoint' | 'token'>
  /** Each model gets a subfolder here. */
  readonly checkpointsDir: string
  /** `whole` unless given. */
  readonly part?: ModelPart
  /**
   * Called with the folder when everything but the weights is there; an error it throws ends the download before they
   * are fetched.
   */
  readonly check?: (folder: string) => Promise<void>
  /** Receives lines for the operator. */
  readonly report: Report
  /** Milliseconds between two progress lines. */
  readonly reportIntervalMs?: number
  readonly signal: AbortSignal
  readonly retry?: RetryPolicy
  /** Bytes requested at once; set by tests. */
  readonly pieceBytes?: number
  /** Milliseconds without a byte after which an exchange counts as broken; set by tests. */
  readonly silenceMs?: number
}

/** @returns undefined when the folder was not downloaded, or not completely */
export async function readHubRecord(folder: string): Promise<HubRecord | undefined> {
  const text = await readFile(join(folder, recordFile), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  return recordSchema.safeParse(JSON.parse(text)).data
}

/**
 * Downloads a model, continuing an earlier attempt, or brings a downloaded one up to date. Its folder appears only
 * when complete: every file with the hash stated by the hub.
 * @returns the folder
 * @throws {HubError} saying what the operator can do
 */
export async function downloadModel(name: HubName, options: DownloadModelOptions): Promise<string> {
  const { settings, checkpointsDir, report, signal, retry = defaultRetryPolicy } = options
  const { part = 'whole' } = options
  const folder = join(checkpointsDir, folderNameOf(name, part))
  const client = new HubClient(settings, options.silenceMs)
  try {
    const model = await listModel(client, name, { retry, report, signal, part })
    const record = await readHubRecord(folder)
    if (record?.commit === model.commit) {
      report(`${name.repo} is already here, at commit ${model.commit}: ${folder}`)
      return folder
    }
    const partial = `${folder}.partial`
    makeFolder(partial)
    const lock = tryLock(`${folder}.lock`)
    if (lock === undefined) throw new HubError(`another process is downloading into ${partial}`)
    try {
      await bringFiles(partial, { client, model, retry, known: { folder, record }, ...options })
      await removeOthers(partial, model)
      await writeRecord(partial, { ...model, endpoint: client.endpoint, revision: name.revision })
    } finally {
      lock.release()
    }
    await rm(folder, { recursive: true, force: true })
    await rename(partial, folder)
    return folder
  } catch (cause) {
    const problem = problemOf(cause, checkpointsDir)
    if (problem === undefined) throw cause
    const advice = 'What was downloaded is kept, and the next attempt continues from there'
    throw new HubError(`${problem}. ${advice}`, { cause })
  } finally {
    await client.close()
  }
}

/** The message of an error that may not occur again; undefined for any other. */
function problemOf(error: unknown, checkpointsDir: string): string | undefined {
  if (error instanceof PassingError) return error.message
  const isFull = (error as NodeJS.ErrnoException).code === 'ENOSPC'
  return isFull ? `cannot write into ${checkpointsDir}: the disk is full` : undefined
}

interface Bringing extends DownloadModelOptions {
  readonly client: HubClient
  readonly model: HubModel
  readonly retry: RetryPolicy
  /** An older version of the same model, whose unchanged files need not be downloaded again. */
  readonly known: { readonly folder: string; readonly record: HubRecord | undefined }
}

async function bringFiles(partial: string, bringing: Bringing): Promise<void> {
  const { model, known, pieceBytes } = bringing
  const state = await DownloadState.read(partial, pieceBytes)
  const files = model.files.map((file) => new PartialFile(file, { folder: partial, state }))
  try {
    for (const file of files) {
      await reuse(partial, file, known)
      await file.check()
    }
    await fillFiles(files, { ...bringing, partial, state })
  } finally {
    await Promise.all(files.map((file) => file.close()))
  }
}

interface Filling extends Bringing {
  /** The folder of the files. */
  readonly partial: string
  readonly state: DownloadState
}

async function fillFiles(files: readonly PartialFile[], filling: Filling): Promise<void> {
  const { client, model, retry, report, signal, reportIntervalMs, partial, state } = filling
  const { check = () => Promise.resolve() } = filling
  const totalBytes = model.files.reduce((sum, { bytes }) => sum + bytes, 0)
  const doneBefore = files.reduce((sum, { doneBytes }) => sum + doneBytes, 0)
  const missing = await missingSpace(partial, totalBytes - doneBefore)
  if (missing !== undefined) throw new HubError(`cannot download ${model.repo}: ${missing}`)
  report(
    `downloading ${model.repo} at commit ${model.commit}: ${formatBytes(totalBytes)}` +
      (doneBefore > 0 ? `, ${formatBytes(doneBefore)} of it already here` : ''),
    false,
    { doneBytes: doneBefore, totalBytes },
  )
  const progress = new Progress({
    title: 'downloading',
    totalBytes,
    doneBefore,
    report,
    now: () => performance.now(),
    ...(reportIntervalMs !== undefined && { intervalMs: reportIntervalMs }),
  })
  const onBytes = (count: number) => progress.add(count)
  const download = { client, model, retry, onBytes, signal }
  const saving = saveRepeatedly(state)
  try {
    const isSmall = ({ hub }: PartialFile) => !isWeights(hub)
    await downloadFiles({ ...download, files: files.filter(isSmall) })
    await check(partial)
    await downloadFiles({ ...download, files: files.filter((file) => !isSmall(file)) })
  } finally {
    await saving.end()
  }
  progress.end()
}

/** Reuses a file of the older version that is the same in the new one. */
async function reuse(
  partial: string,
  file: PartialFile,
  { folder, record }: Bringing['known'],
): Promise<void> {
  const { path: name, hash } = file.hub
  const same = record?.files.some((known) => known.path === name && known.hash.value === hash.value)
  if (file.finished || same !== true) return
  const linked = await link(join(folder, name), join(partial, name)).then(
    () => true,
    () => false,
  )
  if (linked) file.markFinished()
}

function saveRepeatedly(state: DownloadState): { readonly end: () => Promise<void> } {
  let saving = Promise.resolve()
  const save = () => (saving = saving.then(() => state.save()))
  const timer = setInterval(() => void save().catch(() => {}), saveIntervalMs)
  return {
    async end() {
      clearInterval(timer)
      // On a full disk the download has already failed, and the last saved state is recent enough.
      await save().catch(() => {})
    },
  }
}

/** Removes what an earlier attempt left behind from another commit, and the state of the download. */
async function removeOthers(folder: string, { files }: HubModel): Promise<void> {
  const own = new Set(files.map((file) => file.path))
  for (const name of await readdir(folder)) {
    if (!own.has(name)) await rm(join(folder, name), { recursive: true })
  }
}

async function writeRecord(folder: string, record: HubRecord): Promise<void> {
  const { endpoint, repo, revision, commit, files } = record
  const text = JSON.stringify({ endpoint, repo, revision, commit, files }, null, 2)
  await writeFile(join(folder, recordFile), `${text}\n`)
}
