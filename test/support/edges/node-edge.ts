import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { programs } from '../../../scripts/support/programs.ts'
import type { EdgeSettings, RunningEdge } from '../suites/edge-suite.ts'

interface RunningNodeEdge extends RunningEdge {
  /** Replaces the certificate files and sends SIGHUP. */
  renew(certificates: EdgeSettings['certificates']): Promise<void>
}

/** The edge on Node as a separate process. @param environment further settings @param stdout where its log goes */
export async function startNodeEdge(
  settings: EdgeSettings,
  environment: Record<string, string> = {},
  stdout: 'pipe' | number = 'pipe',
): Promise<RunningNodeEdge> {
  const folder = await writeCertificates(settings.certificates)
  const child = fork(programs.nodeEdge, {
    env: {
      API_KEY: settings.apiKey,
      BACKEND_URL: settings.backendUrl,
      PORT: '0',
      STATE_DIR: folder,
      ...tlsSettings(folder),
      ...environment,
    },
    stdio: ['ignore', stdout, 'pipe', 'ipc'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const ended = once(child, 'exit')
  const [message] = (await Promise.race([
    once(child, 'message'),
    ended.then(() => Promise.reject(new Error(`The edge ended: ${output}`))),
  ])) as [{ type: string; port: number }]
  if (message.type !== 'ready') throw new Error(`The edge said ${message.type} instead of ready`)
  return {
    url: `http://127.0.0.1:${message.port}`,
    output: () => output,
    async renew(certificates) {
      await writeCertificateFiles(folder, certificates)
      child.kill('SIGHUP')
    },
    async stop() {
      child.kill('SIGTERM')
      const [code] = (await ended) as [number | null]
      await rm(folder, { recursive: true })
      if (code !== 0) throw new Error(`The edge ended with ${code}: ${output}`)
    },
  }
}

/** @returns the folder, which the caller removes */
export async function writeCertificates(set: EdgeSettings['certificates']): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'edge-'))
  await writeCertificateFiles(folder, set)
  return folder
}

async function writeCertificateFiles(
  folder: string,
  set: EdgeSettings['certificates'],
): Promise<void> {
  await writeFile(join(folder, 'ca.pem'), set.ca)
  await writeFile(join(folder, 'client.pem'), set.client)
  await writeFile(join(folder, 'client-key.pem'), set.clientKey, { mode: 0o600 })
}

export function tlsSettings(folder: string): Record<string, string> {
  return {
    TLS_CA: join(folder, 'ca.pem'),
    TLS_CERT: join(folder, 'client.pem'),
    TLS_KEY: join(folder, 'client-key.pem'),
  }
}
