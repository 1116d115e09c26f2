import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import * as z from 'zod'
import { backendSettingNames, parseConfig } from '../../backend/config.ts'
import { edgeSettingNames, parseEdgeConfig } from '../../edge/node/config.ts'
import { probeRoutes } from '../../shared/api/routes.ts'

const folder = 'deploy/kubernetes'
const overlay = `${folder}/overlays/production`
const checkFolder = 'dist/kubernetes-check'

const resource = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
})
type Resource = z.infer<typeof resource>

const resourcesIn = (text: string): Resource[] =>
  parseAllDocuments(text, { merge: true }).map((document) => resource.parse(document.toJS()))

const filesIn = (path: string) =>
  readdirSync(`${folder}/${path}`)
    .filter((name) => name !== 'kustomization.yaml')
    .map((name) => `${folder}/${path}/${name}`)
const read = (path: string) => readFileSync(path, 'utf8')

const whole = ['base', 'components/monitoring', 'components/autoscaling']
  .flatMap(filesIn)
  .flatMap((path) => resourcesIn(read(path)))
const patches = filesIn('overlays/production').flatMap((path) => resourcesIn(read(path)))

const onCards = filesIn('components/nvidia').flatMap((path) => resourcesIn(read(path)))

const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0
const kustomize = (path: string) =>
  resourcesIn(execFileSync('kubectl', ['kustomize', path], { encoding: 'utf8' }))
/** As a cluster gets it. */
const built = hasKubectl ? [...kustomize(overlay), ...buildOnCards()] : []

/** The overlay with the component that docs/kubernetes.md adds to it. */
function buildOnCards(): Resource[] {
  const path = `${checkFolder}/overlay`
  const up = '../../..'
  mkdirSync(path, { recursive: true })
  const lines = [
    'apiVersion: kustomize.config.k8s.io/v1beta1',
    'kind: Kustomization',
    `resources: [${up}/${overlay}]`,
    `components: [${up}/${folder}/components/nvidia]`,
  ]
  writeFileSync(`${path}/kustomization.yaml`, lines.join('\n'))
  return kustomize(path)
}

/** The module that knows this kind: Kubernetes' own, or of an operator. */
function moduleOf({ apiVersion, kind }: Resource): string {
  const models = apiVersion.startsWith('monitoring.coreos.com')
    ? '@kubernetes-models/prometheus-operator'
    : apiVersion.startsWith('keda.sh')
      ? '@kubernetes-models/keda'
      : 'kubernetes-models'
  return `${models}/${apiVersion}/${kind}`
}

type Model = new (data: Resource) => { validate(): void }

describe('deploy/kubernetes', () => {
  afterAll(() => rmSync(checkFolder, { recursive: true, force: true }))

  it.each([...whole, ...built].map((one) => [`${one.kind} ${one.metadata.name}`, one] as const))(
    'has a %s as its schema asks',
    async (_, one) => {
      const known = (await import(moduleOf(one))) as Record<string, Model>
      expect(() => new known[one.kind]!(one).validate()).not.toThrow()
    },
  )

  it('has no field that Kubernetes does not know', () => {
    mkdirSync(checkFolder, { recursive: true })
    const file = `${checkFolder}/resources.ts`
    // Schemas of Kubernetes allow further fields; its types do not.
    const declarations = [...whole, ...built].map(
      (one, index) =>
        `import type { I${one.kind} as T${index} } from '${moduleOf(one)}'\n` +
        `export const r${index}: T${index} = ${JSON.stringify(one)}\n`,
    )
    writeFileSync(file, declarations.join(''))
    const options = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--module',
      'nodenext',
      file,
    ]
    const { stdout, status } = spawnSync('npx', ['--no-install', 'tsc', ...options], {
      encoding: 'utf8',
    })
    expect(stdout).toBe('')
    expect(status).toBe(0)
  })

  it.skipIf(!hasKubectl)('is put together by kustomize (skipped without kubectl)', () => {
    const names = built.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    expect(names).toEqual(
      expect.arrayContaining(['StatefulSet backend', 'StatefulSet edge', 'ScaledObject backend']),
    )
    expect(new Set(built.map(({ metadata }) => metadata['namespace'] ?? metadata.name))).toEqual(
      new Set(['describe-server']),
    )
  })
})

const pair = z.looseObject({ name: z.string(), value: z.string().optional() })
const probe = z.looseObject({ httpGet: z.object({ path: z.string(), port: z.string() }) })
const container = z.looseObject({
  name: z.string(),
  image: z.string().optional(),
  command: z.array(z.string()).optional(),
  env: z.array(pair).default([]),
  ports: z.array(z.object({ name: z.string(), containerPort: z.int() })).default([]),
  startupProbe: probe.optional(),
  livenessProbe: probe.optional(),
  readinessProbe: probe.optional(),
  securityContext: z.looseObject({}).optional(),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })).default([]),
})
const workload = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({
        terminationGracePeriodSeconds: z.int().optional(),
        securityContext: z.looseObject({}).optional(),
        volumes: z.array(z.looseObject({ name: z.string() })).default([]),
        initContainers: z.array(container).default([]),
        containers: z.array(container),
      }),
    }),
    volumeClaimTemplates: z.array(resource.partial()).default([]),
  }),
})

const workloadOf = (resources: readonly Resource[], name: string) => {
  const found = resources.find(
    ({ kind, metadata }) => kind === 'StatefulSet' && metadata.name === name,
  )
  return workload.parse(found).spec
}
const valuesOf = (env: readonly z.infer<typeof pair>[]) =>
  Object.fromEntries(env.map(({ name, value = 'value-of-a-secret-0123456789' }) => [name, value]))

describe.each([
  {
    name: 'backend',
    known: backendSettingNames,
    ports: (env: Record<string, string>) => {
      const { port, metrics } = parseConfig({ ...env, BACKEND_METRICS_PORT: '9464' })
      return { https: port, metrics: metrics.port }
    },
    host: (env: Record<string, string>) => parseConfig(env).metrics.host,
  },
  {
    name: 'edge',
    known: edgeSettingNames,
    ports: (env: Record<string, string>) => {
      const { port, metrics } = parseEdgeConfig({ ...env, METRICS_PORT: '9465' })
      return { http: port, metrics: metrics.port }
    },
    host: (env: Record<string, string>) => parseEdgeConfig(env).metrics.host,
  },
])('the $name on Kubernetes', ({ name, known, ports, host }) => {
  const { template, volumeClaimTemplates } = workloadOf(whole, name)
  const pod = template.spec
  const [main] = pod.containers
  const patched = workloadOf(patches, name).template.spec
  const dockerfile = read(`deploy/docker/${name}.Dockerfile`)

  it('is set up with settings that there are, and values that they take', () => {
    const env = [main!, ...patched.containers].flatMap((one) => one.env)
    expect(env.map((one) => one.name).filter((one) => !known.includes(one))).toEqual([])
    expect(() => ports(valuesOf(env))).not.toThrow()
    expect(host(valuesOf(env))).toBe('0.0.0.0')
  })

  it('listens where its ports are, and is probed where it answers', () => {
    const named = Object.fromEntries(main!.ports.map((port) => [port.name, port.containerPort]))
    expect(named).toEqual(ports(valuesOf(main!.env)))
    for (const port of Object.values(named)) {
      expect(dockerfile).toMatch(new RegExp(`^EXPOSE .*\\b${port}\\b`, 'm'))
    }
    const { startupProbe, livenessProbe, readinessProbe } = main!
    const paths = [startupProbe, livenessProbe, readinessProbe].map((one) => one!.httpGet)
    expect(new Set(paths.map(({ port }) => port))).toEqual(new Set(['metrics']))
    expect(livenessProbe!.httpGet.path).toBe(probeRoutes.livez.path)
    for (const { path } of paths) expect(['/livez', '/readyz']).toContain(path)
  })

  it('finds its certificates where they are mounted, and a place for all that it writes', () => {
    const { TLS_CA, TLS_CERT, TLS_KEY } = valuesOf(main!.env)
    const mounts = Object.fromEntries(
      main!.volumeMounts.map((mount) => [mount.mountPath, mount.name]),
    )
    for (const path of [TLS_CA, TLS_CERT, TLS_KEY]) {
      expect(path!.slice(0, path!.lastIndexOf('/'))).toBe('/tls')
    }
    const volumes = [...pod.volumes, ...volumeClaimTemplates.map(({ metadata }) => metadata!)]
    expect(new Set(Object.values(mounts))).toEqual(new Set(volumes.map((volume) => volume.name)))
    expect(dockerfile).toContain('STATE_DIR=/state')
    expect(Object.keys(mounts)).toEqual(expect.arrayContaining(['/state', '/tls', '/tmp']))
  })

  it('runs as nobody in particular, without rights, and gets the time that it takes to stop', () => {
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    })
    for (const one of [...pod.containers, ...patched.initContainers]) {
      expect(one.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
    }
    const graceMs = pod.terminationGracePeriodSeconds! * 1_000
    expect(graceMs).toBeGreaterThan(parseConfig({}).drainMs)
  })

  it('runs commands that the image has', () => {
    for (const { command } of patched.initContainers) {
      expect(command![0]).toBe('node')
      expect(existsSync(command![1]!)).toBe(true)
      const help = execFileSync('node', [command![1]!, '--help'], { encoding: 'utf8' })
      expect(help).toMatch(new RegExp(`^ +${command![2]} `, 'm'))
    }
    expect(main!.image).toBe(`describe-${name}`)
    expect(dockerfile).toContain(`-t describe-${name} `)
  })
})

describe('backends on graphics cards on Kubernetes', () => {
  it('are the base with a card each, and start only with it', () => {
    const { containers } = workloadOf(onCards, 'backend').template.spec
    const [{ name, env }] = containers as [z.infer<typeof container>]
    const base = workloadOf(whole, 'backend').template.spec.containers[0]!
    expect(name).toBe(base.name)
    expect(parseConfig(valuesOf(env)).provider).toBe('webgpu')
    expect(read('docs/kubernetes.md')).toContain('../../components/nvidia')
  })

  it.skipIf(!hasKubectl)('get it in all that a cluster gets (skipped without kubectl)', () => {
    const own = built.findLast(
      ({ kind, metadata }) => kind === 'StatefulSet' && metadata.name === 'backend',
    )!
    expect(JSON.stringify(own)).toContain('"limits":{"memory":"32Gi","nvidia.com/gpu":1}')
    expect(own).toHaveProperty('spec.template.spec.runtimeClassName', 'nvidia')
    const env = workloadOf([own], 'backend').template.spec.containers[0]!.env.map(
      ({ name }) => name,
    )
    expect(env).toEqual(expect.arrayContaining(['MODEL_PATH', 'TLS_CA', 'PROVIDER']))
  })
})

describe('backends and their edge on Kubernetes', () => {
  it('are as many as the edge knows', () => {
    const edge = workloadOf(whole, 'edge').template.spec.containers[0]!
    const { port } = parseConfig({})
    const scaled = whole.find(({ kind }) => kind === 'ScaledObject')!
    const { maxReplicaCount } = z.looseObject({ maxReplicaCount: z.int() }).parse(scaled['spec'])
    const names = Array.from({ length: maxReplicaCount }, (_, index) => `backend-${index}.backend`)
    const urls = names.map((host) => `https://${host}:${port}`)
    expect(valuesOf(edge.env)['BACKENDS']!.split(',')).toEqual(urls)
    const docs = read('docs/kubernetes.md')
    for (const host of names) expect(docs).toContain(host)
  })

  it('have ten minutes to load a model that was downloaded and converted before', () => {
    const { startupProbe } = workloadOf(whole, 'backend').template.spec.containers[0]!
    expect(startupProbe).toMatchObject({ periodSeconds: 10, failureThreshold: 60 })
    const { initContainers, containers } = workloadOf(patches, 'backend').template.spec
    const model = valuesOf(containers[0]!.env)['MODEL_PATH']
    expect(initContainers.map(({ command }) => command!.slice(-2))).toEqual([
      ['pull', model],
      ['convert', model],
    ])
    for (const { volumeMounts } of initContainers) {
      expect(volumeMounts).toContainEqual({ name: 'state', mountPath: '/state' })
    }
  })

  it('need secrets that docs/kubernetes.md makes', () => {
    const text = JSON.stringify(whole)
    const secrets = [...text.matchAll(/"secretName":"([^"]+)"|"secretKeyRef":{"name":"([^"]+)"/g)]
    const docs = read('docs/kubernetes.md')
    expect(secrets).toHaveLength(3)
    for (const [, file, key] of secrets) {
      expect(docs).toMatch(new RegExp(`create secret generic ${file ?? key} `))
    }
  })
})
