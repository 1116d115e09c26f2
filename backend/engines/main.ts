/** The program behind `describe engine ...`. */
import { Command } from 'commander'
import { withDotEnv, type Environment } from '../../shared/node/settings/dot-env.ts'
import { ConfigError, parseEnvironment } from '../../shared/node/settings/environment.ts'
import { CheckpointError } from '../checkpoint/checkpoint-error.ts'
import { EngineProblem } from '../cluster/engine/engine-problem.ts'
import { findLocalModel } from '../hub/find-model.ts'
import { HubError } from '../hub/hub-error.ts'
import { checkModelFolder } from '../model/config/check-model-folder.ts'
import { endingSignal, runCommands } from '../models/run-commands.ts'
import { parseModelSettings } from '../models/settings.ts'
import { verifySettings } from './settings.ts'
import { verifyEngine } from './verify-engine.ts'

const signal = endingSignal()

/** The folder that the backend would use; never downloads one. */
async function folderOfModel(environment: Environment): Promise<string> {
  const { modelPath, checkpointsDir, hub } = parseModelSettings(environment)
  const folders = { checkpointsDir, cacheDir: hub.cacheDir, part: 'small' } as const
  const folder = await findLocalModel(modelPath, folders)
  if (folder === undefined) throw new HubError(`${modelPath} is not on this machine`)
  await checkModelFolder(folder)
  return folder
}

const program = new Command('describe engine')
  .description('Examine engines that the backend is to use')
  .exitOverride()

program
  .command('verify')
  .description(
    'check an engine: ask it about pictures, and for everything that requests may contain',
  )
  .argument('<url>', 'address of an engine, as in ENGINE_URLS')
  .addHelpText('after', '\nENGINE_API_KEY, ENGINE_MODEL and MODEL_PATH are used as by the backend.')
  .action(async (url: string) => {
    const environment = { ...withDotEnv(process.env, '.env'), ENGINE_URLS: url }
    const settings = parseEnvironment(verifySettings, environment)
    const modelFolder = await folderOfModel(environment)
    const problems = await verifyEngine({
      url: settings.ENGINE_URLS[0]!,
      apiKey: settings.ENGINE_API_KEY,
      model: settings.ENGINE_MODEL,
      modelFolder,
      report: (line) => void process.stdout.write(`${line}\n`),
      signal,
    })
    process.stdout.write(problems.length === 0 ? 'all well\n' : `${problems.length} wrong\n`)
    if (problems.length > 0) process.exitCode = 1
  })

await runCommands(program, signal, [CheckpointError, ConfigError, EngineProblem, HubError])
