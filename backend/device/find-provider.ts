import { readModelConfig } from '../model/config/model-config.ts'
import type { FormChoice } from '../model/convert/graphs/weight-forms.ts'
import type { DeviceNeeds } from '../model/device-needs.ts'
import {
  chooseProvider,
  onCpu,
  type ProviderChoice,
  type ProviderSetting,
} from './choose-provider.ts'
import { planLayers, providerFor, type DeviceMap } from './device-map.ts'
import { probeAdapter } from './probe.ts'

/** What decides. */
interface ProviderSettings {
  readonly provider: ProviderSetting
  readonly deviceMap: DeviceMap
  readonly model: FormChoice & {
    readonly checkpointDir: string
    /** The most sequences in one step. */
    readonly slots: number
  }
  readonly engine: {
    /** Answers must not depend on what else runs. */
    readonly deterministic: boolean
    /** See `CardDemand.kvTokens`. */
    readonly caches: { readonly kvTokens?: number | undefined }
  }
}

/**
 * Decides what runs the decoder: looks for a graphics card and tries it, unless the settings rule one out.
 * @param environment of the process that tries the card
 * @throws {ConfigError} when a card was asked for and cannot be used, or the settings do not fit together or the model
 */
export async function findProvider(
  { provider, deviceMap, model, engine }: ProviderSettings,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ProviderChoice> {
  const { setting, askedBy } = providerFor(provider, deviceMap)
  const { text_config: text } = await readModelConfig(model.checkpointDir)
  const plan = planLayers(deviceMap, text.num_hidden_layers)
  const { total, stageLayers } = plan
  if (setting === 'cpu') return { ...onCpu(askedBy, total), stageLayers }
  if (engine.deterministic) {
    return onCpu('DETERMINISTIC: on a card, answers depend on what else runs', total)
  }
  const probed = await probeAdapter({ environment, triesSoftware: setting === 'webgpu' })
  const { checkpointDir, slots, ...form } = model
  const needs = async () => ({
    ...(await memoryNeeds(checkpointDir, form)),
    slots,
    kvTokens: engine.caches.kvTokens,
  })
  return chooseProvider({ setting, askedBy, plan }, probed, needs)
}

/** The code that knows the graphs is loaded only where there is a card. */
async function memoryNeeds(checkpointDir: string, form: FormChoice): Promise<DeviceNeeds> {
  const { deviceNeeds } = await import('../model/device-needs.ts')
  return deviceNeeds(checkpointDir, form)
}
