import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { unpackPackages } from './unpacked-packages.ts'

/** Where a proxy of a test is: a folder with fullchain.pem and privkey.pem, its own port, and the edge's. */
export interface ProxyPlace {
  readonly folder: string
  readonly port: number
  readonly edgePort: number
}

/** A proxy that has a file in deploy/proxy. */
export interface ProxyKind {
  /** Also the name of its package. */
  readonly name: string
  readonly file: string
  /** Below the folder into which its package is unpacked. */
  readonly program: string
  /** What the edge is told of a client behind 127.0.0.1 that claims to be another. */
  forwardedFor(claimed: string): string
  /** The file as it is, but for addresses and certificates. */
  adapt(text: string, place: ProxyPlace): string
  checkArguments(file: string, place: ProxyPlace): readonly string[]
  runArguments(file: string, place: ProxyPlace): readonly string[]
}

/** Where nginx may write: it makes the folders of all its modules at the start, in /var/lib/nginx unless told otherwise. */
function temporaryPaths(folder: string): string {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(' ')
}

export const nginx: ProxyKind = {
  name: 'nginx',
  file: 'deploy/proxy/nginx.conf',
  program: 'usr/sbin/nginx',
  forwardedFor: (claimed) => `${claimed}, 127.0.0.1`,
  adapt: (text, { folder, port, edgePort }) =>
    text
      .replaceAll('/etc/nginx/tls', folder)
      .replace('127.0.0.1:8787', `127.0.0.1:${edgePort}`)
      .replace('listen 443 ssl http2;', `listen 127.0.0.1:${port} ssl http2;`)
      .replace('http {', `http { access_log off; ${temporaryPaths(folder)}`),
  checkArguments: (file, place) => ['-t', ...nginx.runArguments(file, place)],
  runArguments: (file, { folder }) => [
    '-c',
    file,
    '-g',
    `pid ${folder}/pid; daemon off; error_log ${folder}/error.log;`,
  ],
}

export const caddy: ProxyKind = {
  name: 'caddy',
  file: 'deploy/proxy/Caddyfile',
  program: 'usr/bin/caddy',
  // It believes nothing that a client says of itself.
  forwardedFor: () => '127.0.0.1',
  adapt: (text, { folder, port, edgePort }) =>
    `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${text
      .replace(
        'describe.example.com {',
        `https://localhost:${port} {\n\ttls ${folder}/fullchain.pem ${folder}/privkey.pem`,
      )
      .replace('127.0.0.1:8787', `127.0.0.1:${edgePort}`)}`,
  checkArguments: (file) => ['validate', '--adapter', 'caddyfile', '--config', file],
  runArguments: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
}

/** @returns where its programs are, or why it cannot be had */
export async function unpackProxy(
  kind: ProxyKind,
): Promise<{ root: string } | { problem: string }> {
  try {
    const packages = [kind.name]
    const root = await unpackPackages(kind.name, {
      '12': { suites: ['bookworm'], packages },
      '13': { suites: ['trixie'], packages },
    })
    return { root }
  } catch (error) {
    return { problem: (error as Error).message }
  }
}

/**
 * Starts a proxy with its file in deploy/.
 * @param root where its package is unpacked
 * @throws what it says of its file, if it does not take it
 */
export async function startProxy(
  kind: ProxyKind,
  root: string,
  place: ProxyPlace,
): Promise<AsyncDisposable> {
  const program = join(root, kind.program)
  const file = join(place.folder, 'proxy.conf')
  const env = {
    ...process.env,
    HOME: place.folder,
    XDG_CONFIG_HOME: place.folder,
    XDG_DATA_HOME: place.folder,
  }
  await writeFile(file, kind.adapt(await readFile(kind.file, 'utf8'), place))
  await promisify(execFile)(program, kind.checkArguments(file, place), { env })
  const proxy = spawn(program, kind.runArguments(file, place), { env, stdio: 'ignore' })
  const ended = once(proxy, 'exit')
  return {
    async [Symbol.asyncDispose]() {
      proxy.kill('SIGTERM')
      await ended
    },
  }
}
