/** Which way imports point: what each folder of the product must not import. docs/architecture.md explains why. */
import type { OxlintOverride } from 'oxlint'

/** Imports that a folder must not have. */
interface Wall {
  readonly regex: string
  readonly message: string
}

/**
 * A wall in front of whatever lies in the named rooms, from wherever it is imported.
 * @param rooms folders and files, such as `http describe.ts`
 */
function wall(rooms: string, message: string): Wall {
  const names = rooms.split(' ').map((room) => (room.endsWith('.ts') ? `${room}$` : `${room}/`))
  return { regex: `^\\.{1,2}/(.*/)?(${names.join('|').replaceAll('.', '\\.')})`, message }
}

/** The same for rooms beside the importing one alone: other folders may use these names as well. */
function besides(rooms: string, message: string): Wall {
  const { regex } = wall(rooms, message)
  return { regex: regex.replace('^\\.{1,2}/(.*/)?', '^\\.\\./'), message }
}

type Walls = Readonly<Record<string, readonly Wall[]>>

/** Rooms inside `folder`, each with what may not be imported there in addition to `outer`. */
function inside(
  folder: string,
  outer: readonly Wall[],
  rooms: Readonly<Record<string, Wall>>,
): Walls {
  const inner = Object.entries(rooms).map(([room, added]) => [
    `${folder}/${room}`,
    [...outer, added],
  ])
  return Object.fromEntries([[folder, outer], ...inner]) as Walls
}

const sharedIsBelow = wall('edge backend scripts test', 'shared lies below all other folders.')

const shared: Walls = {
  shared: [
    sharedIsBelow,
    {
      regex: '^(node:|\\.{1,2}/(.*/)?node/)',
      message: 'Only shared/node may use Node: the rest of shared also runs in the Worker.',
    },
  ],
  'shared/node': [sharedIsBelow],
  cli: [
    wall(
      'edge backend scripts test',
      'The command line talks to the edge over its API, and runs programs of the backend; it shares only shared/.',
    ),
  ],
}

const neverBackend = wall(
  'backend scripts test',
  'edge and backend never meet; they share shared/.',
)
const onePlatform = 'Code of one platform is imported by that platform only.'
const edgeFloor = (rooms: string) =>
  wall(
    `${rooms} app.ts platform.ts`,
    'edge has floors: routes, admin > idempotency > body > calls > backends, limits > keys > storage.',
  )

const edge: Walls = {
  ...inside(
    'edge',
    [
      neverBackend,
      {
        regex: '^node:',
        message: 'This code also runs in the Worker; Node belongs in edge/node/.',
      },
      wall('node worker', onePlatform),
    ],
    {
      storage: edgeFloor('keys limits backends calls body idempotency admin routes'),
      keys: edgeFloor('limits backends calls body idempotency admin routes'),
      limits: edgeFloor('backends calls body idempotency admin routes'),
      backends: edgeFloor('storage keys limits calls body idempotency admin routes'),
      calls: edgeFloor('body idempotency admin routes'),
      body: edgeFloor('idempotency admin routes'),
      idempotency: edgeFloor('admin routes'),
      admin: edgeFloor('routes'),
      routes: edgeFloor('admin idempotency storage'),
    },
  ),
  'edge/node': [neverBackend, besides('worker', onePlatform), wall('edge/worker', onePlatform)],
  'edge/worker': [
    neverBackend,
    { regex: '^(node:|\\.{1,2}/(.*/)?node/)', message: 'A Worker has no Node.' },
  ],
  'edge/page/browser': [
    {
      regex: '^[^.]|^\\.{1,2}/(.*/)?(backend|scripts|test)/',
      message: 'Browsers load these modules as they are, from this server.',
    },
    wall(
      'shared/async shared/balance shared/bytes shared/conversation shared/fetch shared/forward shared/log shared/metrics shared/multipart shared/node shared/progress shared/settings shared/time shared/tracing',
      'The pages share shared/api with the server, and nothing else.',
    ),
    wall(
      'node worker routes calls keys limits backends body idempotency admin storage openapi',
      'The pages are in the browser; they talk to the edge over its API.',
    ),
  ],
}

const neverEdge = wall('edge scripts test', 'edge and backend never meet; they share shared/.')

const httpFloor = (rooms: string) =>
  besides(
    rooms,
    'backend/http has floors: app > routes, mcp > answer > body > exchange; server stands on exchange.',
  )
const clusterFloor = (rooms: string) =>
  besides(
    `${rooms} create-cluster.ts`,
    'backend/cluster has floors: create-cluster.ts > answer > health > wire > engine.',
  )
const engineRoom = (rooms: string, message: string) => wall(`${rooms} engine.ts`, message)

const room = (rooms: string, message: string) => [neverEdge, wall(rooms, message)]

const product = room(
  'http graph checkpoint',
  'describe.ts knows the processor, the engine and the inference process only.',
)

const backend: Walls = {
  backend: [neverEdge],
  'backend/describe.ts': product,
  'backend/describe': product,
  ...inside(
    'backend/http',
    room('graph checkpoint', 'backend/http stands on describe.ts, the processor and the engine.'),
    {
      exchange: httpFloor('server routes mcp answer body app.ts'),
      body: httpFloor('server routes mcp answer app.ts'),
      answer: httpFloor('server routes mcp app.ts'),
      routes: httpFloor('server mcp app.ts'),
      mcp: httpFloor('server routes app.ts'),
      server: httpFloor('routes mcp answer body app.ts'),
    },
  ),
  'backend/processor': room(
    'http inference engine graph checkpoint describe describe.ts',
    'backend/processor turns text and pixels into model inputs and knows no engine.',
  ),
  ...inside(
    'backend/cluster',
    room(
      'http serving inference graph checkpoint model jobs memory images sampling run.ts config.ts',
      'backend/cluster puts requests in order and gives them to engines elsewhere; it runs no model.',
    ),
    {
      engine: clusterFloor('wire health answer'),
      wire: clusterFloor('health answer'),
      health: clusterFloor('answer'),
    },
  ),
  'backend/serving': room(
    'http graph checkpoint run.ts',
    'backend/serving starts what answers requests, and knows no HTTP.',
  ),
  'backend/inference': room(
    'http processor graph describe describe.ts',
    'backend/inference hosts the engine; it knows no text, JSON or JPEG.',
  ),
  ...inside(
    'backend/engine',
    room(
      'http processor inference graph checkpoint describe describe.ts',
      'backend/engine sees token ids and logits through backend/model/model.ts only.',
    ),
    {
      sampling: engineRoom(
        'turns jobs memory images queue',
        'backend/engine/sampling stands alone: logits in, a token out.',
      ),
      images: engineRoom('turns jobs memory queue sampling', 'backend/engine/images stands alone.'),
      queue: engineRoom('turns jobs memory images sampling', 'backend/engine/queue stands alone.'),
      memory: engineRoom('turns jobs queue sampling', 'backend/engine/memory stands on images.'),
      jobs: engineRoom('turns', 'backend/engine/jobs knows no turns: turns know the jobs.'),
    },
  ),
  ...inside(
    'backend/model',
    room(
      'http processor inference engine describe describe.ts',
      'backend/model stands on checkpoint and graph.',
    ),
    {
      convert: wall(
        'load-model.ts sessions.ts',
        'backend/model/convert writes what load-model.ts opens; it knows no runtime.',
      ),
      moonvit: wall(
        'deepseek convert load-model.ts',
        'backend/model/moonvit is the vision tower alone.',
      ),
      deepseek: wall(
        'moonvit convert load-model.ts',
        'backend/model/deepseek is the decoder alone.',
      ),
      config: wall(
        'deepseek moonvit convert graph load-model.ts',
        'backend/model/config reads the checkpoint’s JSON files.',
      ),
    },
  ),
  'backend/hub': room(
    'cli http processor inference engine model models graph describe describe.ts',
    'backend/hub fetches files and knows nothing of their content.',
  ),
  'backend/models': room(
    'cli http inference engine describe describe.ts',
    'backend/models is the command line for models; it serves nothing.',
  ),
  'backend/grammar': room(
    'http processor inference engine checkpoint graph describe describe.ts',
    'backend/grammar knows schemas, JSON text and token bytes; no engine and no HTTP.',
  ),
  'backend/checkpoint': room(
    'http processor inference engine model describe describe.ts',
    'backend/checkpoint stands on graph.',
  ),
  'backend/fairness': [
    { regex: '^\\.\\./', message: 'backend/fairness decides who is next, and knows nothing else.' },
  ],
  'backend/graph': room(
    'http processor inference engine model checkpoint describe describe.ts',
    'backend/graph knows ONNX, never the model.',
  ),
}

/** As overrides for oxlint. It takes the last one that fits a file, so rooms come after the folders around them. */
export const importWalls: OxlintOverride[] = Object.entries({ ...shared, ...edge, ...backend }).map(
  ([folder, patterns]) => ({
    files: [folder.endsWith('.ts') ? folder : `${folder}/**`],
    rules: { 'no-restricted-imports': ['error', { patterns: [...patterns] }] },
  }),
)
