import type { Log } from '../../shared/node/log/log.ts'
import type { ProgressAmount, Report } from '../../shared/progress/progress.ts'
import type { BackendConfig } from '../config.ts'
import { findLocalModel, findModel } from '../hub/find-model.ts'
import type { ModelPart } from '../hub/hub-name.ts'
import { requiredFiles } from '../hub/list-model.ts'
import { checkFilesPresent, checkModelFolder } from '../model/config/check-model-folder.ts'
import type { StopgapConfig } from './answer-while-downloading.ts'

/** Events that abort a download: the signals that end the program, and the end of the program that started it. */
const endings = ['SIGINT', 'SIGTERM', 'disconnect'] as const

type CheckpointConfig = Pick<BackendConfig, 'model' | 'hub' | 'cluster'>

/**
 * The folder of the model, downloaded first when MODEL_PATH is a name on the hub; probes are answered meanwhile.
 * Nothing else starts before, so that the most common mistakes are reported immediately.
 * @returns undefined when the program should end
 * @throws {Error} for the operator, when no Kimi-VL can be found
 */
export async function findCheckpoint(
  config: CheckpointConfig & StopgapConfig,
  log: Log,
): Promise<string | undefined> {
  const ending = new AbortController()
  const end = () => ending.abort()
  for (const event of endings) process.on(event, end)
  try {
    const folder = await findOrDownload(config, log, ending.signal)
    return ending.signal.aborted ? undefined : folder
  } catch (error) {
    if (ending.signal.aborted) return undefined
    throw error
  } finally {
    for (const event of endings) process.off(event, end)
  }
}

async function findOrDownload(
  config: CheckpointConfig & StopgapConfig,
  log: Log,
  signal: AbortSignal,
): Promise<string> {
  const { checkpointDir, checkpointsDir } = config.model
  const folders = { checkpointsDir, cacheDir: config.hub.cacheDir, part: partOf(config) }
  if ((await findLocalModel(checkpointDir, folders)) !== undefined) {
    return bringCheckpoint(config, (line) => log.info(line), signal)
  }
  let arrived: ProgressAmount | undefined
  const { answerWhileDownloading } = await import('./answer-while-downloading.ts')
  const stopgap = await answerWhileDownloading(config, () => arrived, log)
  const report: Report = (line, _passing, amount) => {
    arrived = amount ?? arrived
    log.info(line)
  }
  try {
    return await bringCheckpoint(config, report, signal)
  } finally {
    await stopgap.close()
  }
}

async function bringCheckpoint(
  config: CheckpointConfig,
  report: Report,
  signal: AbortSignal,
): Promise<string> {
  const { checkpointDir, checkpointsDir } = config.model
  const [settings, part, check] = [config.hub, partOf(config), checkModelFolder]
  try {
    const options = { settings, checkpointsDir, part, check, report, signal }
    const folder = await findModel(checkpointDir, options)
    await checkModelFolder(folder)
    await checkFilesPresent(folder, requiredFiles)
    return folder
  } catch (cause) {
    const reason = (cause as Error).message
    throw new Error(`Cannot load the model in ${checkpointDir}: ${reason}`, { cause })
  }
}

/** Engines elsewhere have the weights. */
function partOf({ cluster }: CheckpointConfig): ModelPart {
  return cluster === undefined ? 'whole' : 'small'
}
