import { fileURLToPath } from 'node:url'
import { exitAfter, sayError } from '../shared/node/process/end-process.ts'
import { readIdentity } from '../shared/node/certificates/read-identity.ts'
import { createLog, type Log, openStandardOutput } from '../shared/node/log/log.ts'
import type { LogSink } from '../shared/node/log/log-sink.ts'
import { misspelt } from '../shared/settings/misspelt.ts'
import { backendSettingNames, parseConfig, type BackendConfig } from './config.ts'
import type { ProviderChoice } from './device/choose-provider.ts'
import { findProvider } from './device/find-provider.ts'
import { findCheckpoint } from './start/find-checkpoint.ts'
import { inferenceEnvironment } from './inference/environment.ts'
import { createInference, type Inference } from './inference/supervisor.ts'
import { errorText } from '../shared/log/error-text.ts'

/** Milliseconds the inference process may take to end once all answers are done. */
const inferenceCloseMs = 700

/** A separate program. */
const inferenceEntry = fileURLToPath(new URL('./inference/child.ts', import.meta.url))

/** Settings → inference process, unless engines elsewhere are used → service. */
async function run(output: LogSink): Promise<void> {
  const settings = parseConfig(process.env)
  const log = createLog(settings.logLevel, output)
  const checkpointDir = await findCheckpoint(settings, log)
  if (checkpointDir === undefined) return exitAfter(output, 0)
  const config = { ...settings, model: { ...settings.model, checkpointDir } }
  const tls = await readIdentity(config.tlsPaths)
  // npm start has warned already.
  const slips = process.connected ? [] : misspelt(Object.keys(process.env), backendSettingNames)
  for (const slip of slips) log.warn(slip, 'a variable that nothing reads')
  const environment = inferenceEnvironment(process.env)
  const provider =
    config.cluster === undefined ? await findProvider(config, environment) : undefined
  const inference = provider && startInference(config, provider, environment, log)
  // Most of this program's code, which is loaded while the inference process starts.
  const { serve } = await import('./serve.ts')
  const modelPath = settings.model.checkpointDir
  await serve({ config, modelPath, provider, tls, inference, log, output })
}

function startInference(
  config: BackendConfig,
  { card, stageLayers }: ProviderChoice,
  environment: ReturnType<typeof inferenceEnvironment>,
  log: Log,
): Inference {
  const memory = {
    limitBytes: config.memoryBytes,
    uploadBytes: config.uploadMemoryBytes,
    decodeBytes: config.decodeMemoryBytes,
  }
  const { speculation } = config
  const engine = {
    ...config.engine,
    speculates: speculation === 'auto' ? card?.cpuLayers === 0 : speculation === 'on',
  }
  return createInference({
    entry: inferenceEntry,
    init: { model: { ...config.model, card, stageLayers }, engine, memory },
    environment,
    log: (level, text) => log[level](text),
    closeTimeoutMs: inferenceCloseMs,
  })
}

const output = openStandardOutput()
try {
  await run(output)
} catch (error) {
  // The processes started here end by themselves when this one is gone.
  sayError(errorText(error))
  await exitAfter(output, 1)
}
