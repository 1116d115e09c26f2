/** The program behind `describe doctor`: what this machine has, what it lacks, and what the backend would do with it. */
import { statfs } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { Command } from 'commander'
import { fileErrorText } from '../../shared/node/files/file-error.ts'
import { makeFolder } from '../../shared/node/files/make-folder.ts'
import { endWithOutput } from '../../shared/node/process/end-with-output.ts'
import { withDotEnv } from '../../shared/node/settings/dot-env.ts'
import { ConfigError } from '../../shared/node/settings/environment.ts'
import { CheckpointError } from '../checkpoint/checkpoint-error.ts'
import { parseConfig, type BackendConfig } from '../config.ts'
import type { ProviderChoice } from '../device/choose-provider.ts'
import { formatDeviceMap } from '../device/device-map.ts'
import { findProvider } from '../device/find-provider.ts'
import { probeAdapter } from '../device/probe.ts'
import { findLocalModel } from '../hub/find-model.ts'
import { inferenceEnvironment } from '../inference/environment.ts'
import { findConverted, type ConvertedModel } from '../model/convert/converted-model.ts'
import { openModelSource, type ModelSource } from '../model/convert/source/model-source.ts'
import { freeMemory } from '../memory/free-memory.ts'
import { checkMemory, type MemoryCheck } from '../memory/memory-check.ts'
import { hostCacheTokens } from '../memory/memory-parts.ts'
import { formNeeds } from '../model/host-needs.ts'
import { deviceWork } from '../model/device-work.ts'
import type { CardFacts } from './card-facts.ts'
import { hasError, reportLines, type Finding } from './finding.ts'
import {
  judgeCard,
  judgeCardFacts,
  judgeCardSpeed,
  judgeDisk,
  judgeMemory,
  judgeNoFolder,
  judgeNode,
  judgeProcessor,
  judgeProvider,
  judgeSpeed,
} from './judge.ts'
import { measureCard } from './measure-card.ts'
import { memoryBandwidth } from './memory-bandwidth.ts'
import { bytesPerToken, weightBytes } from './model-bytes.ts'
import { readProcessor } from './processor-facts.ts'

async function examine(config: BackendConfig): Promise<Finding[]> {
  const environment = inferenceEnvironment(process.env)
  const card = await probeAdapter({ environment, triesSoftware: true })
  const facts = 'adapter' in card ? await measureCard(card.adapter.kind, environment) : undefined
  return [
    judgeNode(process.versions.node),
    judgeProcessor(await readProcessor()),
    judgeCard(card),
    ...(await examineModel(config, environment, facts)),
  ]
}

/** What depends on the model's size. */
async function examineModel(
  config: BackendConfig,
  environment: ReturnType<typeof inferenceEnvironment>,
  facts: CardFacts | undefined,
): Promise<Finding[]> {
  const { checkpointDir: name, checkpointsDir } = config.model
  const folder = await findLocalModel(name, { checkpointsDir, cacheDir: config.hub.cacheDir })
  if (folder === undefined) {
    const remedy = `describe model pull ${name}`
    const text = 'its size, and what it needs, are unknown until then'
    const problem = { severity: 'warning', text, remedy } as const
    const limits = facts === undefined ? [] : [judgeCardFacts(facts, undefined)]
    return [...limits, { name: 'model', value: `${name} is not on this machine`, problem }]
  }
  const source = await openModelSource(folder)
  try {
    const local = { ...config, model: { ...config.model, checkpointDir: folder } }
    const choice = await findProvider(local, environment).catch(asError)
    const converted = await findConverted(source, local.model)
    const needed = await findNeeded(source, local.model, choice)
    return [
      { name: 'model', value: folder },
      judgeMemory(memoryOf(local, source, choice)),
      await examineDisk(local, needed),
      judgeProvider(settingOf(config), choice),
      ...(leavesChoice(config) ? [] : [await examineAuto(local, environment)]),
      ...(await examineSpeed(source, { config: local, converted, choice, facts })),
    ]
  } finally {
    await source.checkpoint.close()
  }
}

/** As the inference process would find it at its start. */
function memoryOf(
  { model, engine, memoryBytes, uploadMemoryBytes, decodeMemoryBytes }: BackendConfig,
  source: ModelSource,
  choice: ProviderChoice | Error,
): MemoryCheck {
  const { card, stageLayers } = choice instanceof Error ? {} : choice
  const { kvTokens, imageBytes: imageCacheBytes } = engine.caches
  const layout = card === undefined ? 'cpu' : 'device'
  return checkMemory({
    ...formNeeds(source, { ...model, layout, cpuLayers: card?.cpuLayers, stageLayers }),
    settings: {
      slots: model.slots,
      kvTokens: hostCacheTokens(kvTokens, card),
      imageCacheBytes,
      uploadBytes: uploadMemoryBytes,
      decodeBytes: decodeMemoryBytes,
    },
    free: freeMemory(memoryBytes),
  })
}

/** The model's forms that the backend would load: the layers on the CPU and those on a card have each their own. */
function findNeeded(
  source: ModelSource,
  model: BackendConfig['model'],
  choice: ProviderChoice | Error,
): Promise<ConvertedModel[]> {
  const { cpu, gpu } = choice instanceof Error ? { cpu: 1, gpu: 0 } : choice.layers
  const layouts = [...(gpu > 0 ? ['device' as const] : []), ...(cpu > 0 ? ['cpu' as const] : [])]
  return Promise.all(layouts.map((layout) => findConverted(source, { ...model, layout })))
}

async function examineDisk(
  { model }: BackendConfig,
  needed: readonly ConvertedModel[],
): Promise<Finding> {
  const missing = needed.filter(({ manifest }) => manifest === undefined)
  if (missing.length === 0) return judgeDisk(model.modelsDir, undefined)
  try {
    makeFolder(model.modelsDir)
  } catch (error) {
    const why = fileErrorText(error)
    if (why === undefined) throw error
    return judgeNoFolder(why)
  }
  const { bavail, bsize } = await statfs(model.modelsDir)
  return judgeDisk(model.modelsDir, {
    freeBytes: bavail * bsize,
    neededBytes: missing.reduce((sum, converted) => sum + weightBytes(converted), 0),
  })
}

interface SpeedParts {
  readonly config: BackendConfig
  /** In the form for the CPU. */
  readonly converted: ConvertedModel
  readonly choice: ProviderChoice | Error
  readonly facts: CardFacts | undefined
}

/** On the CPU alone, and on the card, if there is one: with the layers that would be there. */
async function examineSpeed(
  source: ModelSource,
  { config, converted, choice, facts }: SpeedParts,
): Promise<Finding[]> {
  const bytesPerSecond = await memoryBandwidth(availableParallelism())
  const speedOf = (layers?: number) => ({
    bytesPerSecond,
    bytesPerToken: bytesPerToken(converted, source.config.text_config, layers),
  })
  const onCpu = judgeSpeed(speedOf())
  if (facts === undefined) return [onCpu]
  const cpuLayers = choice instanceof Error ? 0 : (choice.card?.cpuLayers ?? 0)
  const work = deviceWork(source, config.model, cpuLayers)
  const before = cpuLayers > 0 ? speedOf(cpuLayers) : undefined
  return [onCpu, judgeCardFacts(facts, work), judgeCardSpeed(facts, work, before)]
}

/** The setting that decides, as `NAME=value`. */
function settingOf({ provider, deviceMap }: BackendConfig): string {
  return deviceMap === 'auto' ? `PROVIDER=${provider}` : `DEVICE_MAP=${formatDeviceMap(deviceMap)}`
}

function leavesChoice({ provider, deviceMap }: BackendConfig): boolean {
  return provider === 'auto' && deviceMap === 'auto'
}

/** What the backend would do if the settings did not say. */
async function examineAuto(
  config: BackendConfig,
  environment: ReturnType<typeof inferenceEnvironment>,
): Promise<Finding> {
  const auto = { ...config, provider: 'auto', deviceMap: 'auto' } as const
  return judgeProvider('PROVIDER=auto', await findProvider(auto, environment).catch(asError))
}

/** A setting that cannot be met is a finding; anything else is not. */
function asError(error: unknown): Error {
  if (error instanceof ConfigError) return error
  throw error
}

new Command('describe doctor')
  .description('Says what this machine has, what it lacks, and what the backend would do with it')
  .allowExcessArguments(false)
  .parse()

endWithOutput()
try {
  const findings = await examine(parseConfig(withDotEnv(process.env, '.env')))
  for (const line of reportLines(findings)) process.stdout.write(`${line}\n`)
  if (hasError(findings)) process.exitCode = 1
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof CheckpointError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
