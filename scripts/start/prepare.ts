import { join } from 'node:path'
import { makeFolder } from '../../shared/node/files/make-folder.ts'
import type { CertificateSet } from '../../shared/node/certificates/create-certificates.ts'
import { ensureApiKey } from './state/api-key.ts'
import { ensureCertificates } from './state/certificates.ts'
import { serverNames, urlHost } from './hosts.ts'
import { findFreePorts } from './port.ts'
import { edgeName, type StartSettings } from './settings.ts'

/** What must exist before a program can run. */
interface Prepared {
  readonly edge: { readonly url: string; readonly port: number }
  readonly backend: { readonly url: string; readonly port: number }
  readonly certificates: CertificateSet
  readonly apiKey: string
  readonly apiKeyFile: string
  readonly logsDir: string
}

/** Finds free ports and prepares certificates, API key and folders. @throws {StartError} when a port is taken */
export async function prepare(settings: StartSettings): Promise<Prepared> {
  const { stateDir, edge, backend, presetApiKey } = settings
  const [edgePort = 0, backendPort = 0] = await findFreePorts([
    { ...edge, setting: 'PORT' },
    { ...backend, setting: 'BACKEND_PORT' },
  ])
  const logsDir = join(stateDir, 'logs')
  const apiKeyFile = join(stateDir, 'api-key')
  makeFolder(logsDir)
  const names = { server: serverNames(backend.host), client: edgeName }
  const [certificates, apiKey] = await Promise.all([
    ensureCertificates(join(stateDir, 'certs'), names, Date.now()),
    ensureApiKey(apiKeyFile, presetApiKey),
  ])
  return {
    edge: { url: `http://${urlHost(edge.host)}:${edgePort}`, port: edgePort },
    backend: { url: `https://${urlHost(backend.host)}:${backendPort}`, port: backendPort },
    certificates,
    apiKey,
    apiKeyFile,
    logsDir,
  }
}
