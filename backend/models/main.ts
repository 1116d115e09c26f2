/** The program behind `describe model ...`. */
import { availableParallelism } from 'node:os'
import { Command, InvalidArgumentError } from 'commander'
import { withDotEnv } from '../../shared/node/settings/dot-env.ts'
import { ConfigError } from '../../shared/node/settings/environment.ts'
import { formatBytes } from '../../shared/progress/amounts.ts'
import type { Report } from '../../shared/progress/progress.ts'
import { CheckpointError } from '../checkpoint/checkpoint-error.ts'
import { findLocalModel } from '../hub/find-model.ts'
import { downloadModel } from '../hub/download-model.ts'
import { HubError } from '../hub/hub-error.ts'
import { parseHubName } from '../hub/hub-name.ts'
import { checkModelFolder } from '../model/config/check-model-folder.ts'
import { prepareModelFolder } from '../model/convert/model-folder.ts'
import { openModelSource } from '../model/convert/source/model-source.ts'
import { formName } from '../model/convert/graphs/weight-forms.ts'
import { addFormOptions, chosenForm, settingsOf } from './form-options.ts'
import { listModels } from './list.ts'
import { removeModel } from './remove.ts'
import { endingSignal, runCommands } from './run-commands.ts'
import { parseModelSettings, type ModelSettings } from './settings.ts'
import { publishedSizes, type ModelSizes } from './synthesise/published-config.ts'
import { synthesiseModel } from './synthesise/synthesise-model.ts'
import { verifyModel } from './verify.ts'

/** Milliseconds between two progress lines in a terminal, where each replaces the previous one. */
const terminalIntervalMs = 250

/** `process.resourceUsage()` has kilobytes. */
const bytesPerMaxRss = 1024

const signal = endingSignal()
const isTerminal = process.stdout.isTTY

/** Prints lines; in a terminal, a passing one is overwritten by the next. */
const report: Report = (line, passing = false) => {
  if (!isTerminal) process.stdout.write(`${line}\n`)
  else process.stdout.write(`\r\x1B[K${line}${passing ? '' : '\n'}`)
}
const pace = isTerminal ? { reportIntervalMs: terminalIntervalMs } : {}

type CheckArguments = Parameters<typeof chosenForm>[1] & {
  readonly against?: string
  readonly features?: string
}

function settings(): ModelSettings {
  return parseModelSettings(withDotEnv(process.env, '.env'))
}

/** The checkpoint that a command refers to; never downloads one. */
async function checkpointOf(model: string | undefined, options: ModelSettings): Promise<string> {
  const { checkpointsDir, modelPath, hub } = options
  const name = model ?? modelPath
  const folder = await findLocalModel(name, { checkpointsDir, cacheDir: hub.cacheDir })
  if (folder === undefined) {
    throw new HubError(`${name} is not on this machine; to download it: describe model pull ${name}`)
  }
  await checkModelFolder(folder)
  return folder
}

const program = new Command('describe model')
  .description('Download, check and convert models')
  .exitOverride()

program
  .command('pull')
  .description(
    'download a model from Hugging Face, or bring it up to date; continues where it was interrupted',
  )
  .argument('<model>', 'owner/name, or owner/name@revision')
  .action(async (model: string) => {
    const name = parseHubName(model)
    if (name === undefined) throw new HubError(`${model} is not the name of a model on the hub: expected owner/name`)
    const { hub, checkpointsDir } = settings()
    const check = checkModelFolder
    await downloadModel(name, { settings: hub, checkpointsDir, check, report, signal, ...pace })
    report(`Set MODEL_PATH=${model} to use it.`)
  })

program
  .command('list')
  .description('show the models on this machine')
  .action(async () => {
    for (const line of await listModels(settings())) report(line)
  })

program
  .command('verify')
  .description('check a model: its files, its tensors, its converted weights; changes nothing')
  .argument('[model]', 'a folder, or a name that was downloaded; MODEL_PATH unless given')
  .action(async (model: string | undefined) => {
    const options = settings()
    const checkpointDir = await checkpointOf(model, options)
    const problems = await verifyModel({ ...options, checkpointDir, report, signal })
    for (const problem of problems) process.stderr.write(`${problem}\n`)
    if (problems.length > 0) process.exitCode = 1
  })

addFormOptions(program.command('convert'))
  .description('convert a model to the form that is served, as the first start would')
  .argument('[model]', 'a folder, or a name that was downloaded; MODEL_PATH unless given')
  .action(async (model: string | undefined, given: Parameters<typeof chosenForm>[1]) => {
    const options = settings()
    const choice = chosenForm(options.choice, given)
    const source = await openModelSource(await checkpointOf(model, options))
    // Loads ONNX Runtime, which most commands do not need.
    const { measureChannels } = await import('../model/streamed/measure-channels.ts')
    try {
      const { embeddingFile } = await prepareModelFolder(source, {
        ...choice,
        modelsDir: options.modelsDir,
        slots: 1,
        threads: availableParallelism(),
        measure: measureChannels,
        onProgress: report,
        signal,
      })
      report(`ready: ${embeddingFile.replace(/[\\/][^\\/]+$/, '')}`)
      if (formName(choice) !== formName(options.choice)) {
        report(`Set ${settingsOf(choice)} to serve this form.`)
      }
    } finally {
      await source.checkpoint.close()
    }
  })

addFormOptions(program.command('check'))
  .description(
    'measure how close the 8-bit form is to float32, or to answers of another implementation',
  )
  .argument('[model]', 'a folder, or a name that was downloaded; MODEL_PATH unless given')
  .option('--against <file>', 'answers of another implementation, as in test/golden/model.json')
  .option('--features <file>', 'an image with the features that another implementation gives it')
  .action(async (model: string | undefined, given: CheckArguments) => {
    const options = settings()
    const choice = chosenForm({ ...options.choice, weights: 'q8' }, given)
    const checkpointDir = await checkpointOf(model, options)
    const { checkModel } = await import('./check/check-model.ts')
    const problems = await checkModel({
      checkpointDir,
      choice,
      ...(given.against !== undefined && { against: given.against }),
      ...(given.features !== undefined && { features: given.features }),
      report,
      signal,
    })
    report(`memory: ${formatBytes(process.resourceUsage().maxRSS * bytesPerMaxRss)} at most`)
    for (const problem of problems) process.stderr.write(`${problem}\n`)
    if (problems.length > 0) process.exitCode = 1
  })

const upTo = (most: number) => (text: string) => {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= 1 && value <= most) return value
  throw new InvalidArgumentError(`expected a whole number from 1 to ${most}`)
}

program
  .command('synthesise')
  .description(
    'write a checkpoint of random weights with the names, types and shapes of Kimi-VL-A3B, for tests',
  )
  .argument('<folder>', 'is created')
  .option('--layers <n>', 'layers of the text model', upTo(publishedSizes.layers), 4)
  .option(
    '--vision-layers <n>',
    'layers of the vision tower',
    upTo(publishedSizes.visionLayers),
    publishedSizes.visionLayers,
  )
  .option(
    '--experts <n>',
    'experts of a layer',
    upTo(publishedSizes.experts),
    publishedSizes.experts,
  )
  .action(async (folder: string, sizes: ModelSizes) => {
    await synthesiseModel(folder, { sizes, report, signal })
    report(`ready: ${folder}`)
  })

program
  .command('remove')
  .description('remove a download and its converted forms')
  .argument('<model>', 'a name on the hub, or one that list shows')
  .action(async (model: string) => {
    for (const folder of await removeModel(model, settings())) report(`removed ${folder}`)
  })

await runCommands(program, signal, [CheckpointError, ConfigError, HubError])
