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
  const { checkpointDir, checkpointsDir } = config.model
  const folders = { checkpointsDir, cacheDir: config.hub.cacheDir, part: partOf(config) }
  if ((await findLocalModel(checkpointDir, folders)) !== undefined) {
    return bringCheckpoint(config, (line) => log.info(line))
  }
  let arrived: ProgressAmount | undefined
  const { answerWhileDownloading } = await import('./answer-while-downloading.ts')
  const stopgap = await answerWhileDownloading(config, () => arrived, log)
  try {
    return await bringCheckpoint(config, (line, _passing, amount) => {
      arrived = amount ?? arrived
      log.info(line)
    })
  } finally {
    await stopgap.close()
  }
}

async function bringCheckpoint(
  config: CheckpointConfig,
  report: Report,
): Promise<string | undefined> {
  const ending = new AbortController()
  const end = () => ending.abort()
  for (const event of endings) process.on(event, end)
  const { checkpointDir, checkpointsDir } = config.model
  try {
    const folder = await findModel(checkpointDir, {
      settings: config.hub,
      checkpointsDir,
      part: partOf(config),
      check: checkModelFolder,
      report,
      signal: ending.signal,
    })
    await checkModelFolder(folder)
    await checkFilesPresent(folder, requiredFiles)
    return folder
  } catch (cause) {
    if (ending.signal.aborted) return undefined
    const reason = (cause as Error).message
    throw new Error(`Cannot load the model in ${checkpointDir}: ${reason}`, { cause })
  } finally {
    for (const event of endings) process.off(event, end)
  }
}

/** Engines elsewhere have the weights. */
function partOf({ cluster }: CheckpointConfig): ModelPart {
  return cluster === undefined ? 'whole' : 'small'
}
