import type { BackendConfig } from '../config.ts'
import type { FormChoice } from '../model/convert/weight-forms.ts'
import type { DeviceNeeds } from '../model/device-needs.ts'
import { chooseProvider, onCpu, type ProviderChoice } from './choose-provider.ts'
import { probeAdapter } from './probe.ts'

/**
 * Decides what runs the decoder: looks for a graphics card and tries it, unless the settings rule one out.
 * @param environment of the process that tries the card
 * @throws {ConfigError} when a card was asked for and cannot be used
 */
export async function findProvider(
  { provider: setting, model, engine }: Pick<BackendConfig, 'provider' | 'model' | 'engine'>,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ProviderChoice> {
  if (setting === 'cpu') return onCpu('PROVIDER=cpu')
  if (engine.deterministic) {
    return onCpu('DETERMINISTIC: on a card, answers depend on what else runs')
  }
  const probed = await probeAdapter({ environment, triesSoftware: setting === 'webgpu' })
  const { checkpointDir, slots, ...form } = model
  const needs = async () => ({
    ...(await memoryNeeds(checkpointDir, form)),
    slots,
    kvTokens: engine.caches.kvTokens,
  })
  return chooseProvider(setting, probed, needs)
}

/** The code that knows the graphs is loaded only where there is a card. */
async function memoryNeeds(checkpointDir: string, form: FormChoice): Promise<DeviceNeeds> {
  const { deviceNeeds } = await import('../model/device-needs.ts')
  return deviceNeeds(checkpointDir, form)
}
