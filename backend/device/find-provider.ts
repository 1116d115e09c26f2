import { deviceNeeds } from '../model/device-needs.ts'
import type { BackendConfig } from '../config.ts'
import { chooseProvider, cpuAsked, type ProviderChoice } from './choose-provider.ts'
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
  if (setting === 'cpu') return cpuAsked
  if (engine.deterministic) {
    return { provider: 'cpu', reason: 'DETERMINISTIC: on a card, answers depend on what else runs' }
  }
  const probed = await probeAdapter({ environment, triesSoftware: setting === 'webgpu' })
  const { checkpointDir, slots, ...form } = model
  const needs = await deviceNeeds(checkpointDir, form)
  return chooseProvider(setting, probed, { ...needs, slots, kvTokens: engine.caches.kvTokens })
}
