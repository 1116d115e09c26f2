import type { BackendConfig } from '../config.ts'
import { findModel } from '../hub/find-model.ts'
import { requiredFiles } from '../hub/list-model.ts'
import { checkFilesPresent, checkModelFolder } from '../model/config/check-model-folder.ts'

/** Events that abort a download: the signals that end the program, and the end of the program that started it. */
const endings = ['SIGINT', 'SIGTERM', 'disconnect'] as const

/**
 * The folder of the model, downloaded first when MODEL_PATH is a name on the hub. Nothing else starts before, so that
 * the most common mistakes are reported immediately.
 * @returns undefined when the program should end
 * @throws {Error} for the operator, when no Kimi-VL can be found
 */
export async function findCheckpoint(
  { model, hub, cluster }: Pick<BackendConfig, 'model' | 'hub' | 'cluster'>,
  report: (line: string) => void,
): Promise<string | undefined> {
  const ending = new AbortController()
  const end = () => ending.abort()
  for (const event of endings) process.on(event, end)
  const { checkpointDir, checkpointsDir } = model
  try {
    // Engines elsewhere have the weights.
    const part = cluster === undefined ? 'whole' : 'small'
    const folder = await findModel(checkpointDir, {
      settings: hub,
      checkpointsDir,
      part,
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
