/**
 * `node scripts/gpu/answers.ts [pictures] [seed] [map]`: asks the whole service about drawn pictures at temperature 0,
 * on the CPU and on the graphics card, and shows where and how narrowly answers diverge. `map` places layers as
 * DEVICE_MAP does; without it, PROVIDER=webgpu applies. WEIGHTS applies to both. Exits with 1 if answers diverge
 * anywhere but at near ties.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import { nano } from '../../test/parity/golden-cases.ts'
import { Launcher } from '../start/launcher.ts'
import { drawScenes } from '../outliers/scenes.ts'

/** In 8 bits, one lead in a hundred deviates by this much on the CPU (docs/gpu.md). */
const widestNearTie = 0.5

const answerSchema = z.object({
  choices: z.tuple([
    z.object({
      message: z.object({ content: z.string() }),
      logprobs: z.object({
        content: z.array(
          z.object({
            token: z.string(),
            top_logprobs: z.array(z.object({ token: z.string(), logprob: z.number() })),
          }),
        ),
      }),
    }),
  ]),
})
type Answer = z.infer<typeof answerSchema>['choices'][0]

const [pictures = '100', seed = '3', map] = process.argv.slice(2)
const scenes = await drawScenes(Number(pictures), Number(seed))
const first = await answersOf('the CPU', { PROVIDER: 'cpu' })
const onCard = map === undefined ? { PROVIDER: 'webgpu' } : { DEVICE_MAP: map }
const second = await answersOf('the card', onCard)
const parted = first.flatMap((answer, i) => {
  const leads = leadsOf(answer, second[i]!)
  return leads === undefined ? [] : [{ picture: i, ...leads }]
})
console.log(`${scenes.length - parted.length} of ${scenes.length} answers equal`)
for (const { picture, token, cpu, card } of parted) {
  console.log(
    `picture ${picture}, token ${token}: lead on the CPU ${cpu.toFixed(3)}, on the card ${card.toFixed(3)}`,
  )
}
const isNear = parted.every(({ cpu, card }) => Math.max(cpu, -card) < widestNearTie)
process.exitCode = isNear ? 0 : 1

async function answersOf(
  place: string,
  settings: Readonly<Record<string, string>>,
): Promise<Answer[]> {
  const stateDir = await mkdtemp(join(tmpdir(), 'card-answers-'))
  const service = {
    EDGE: 'node',
    PORT: '0',
    BACKEND_PORT: '0',
    STATE_DIR: stateDir,
    MODEL_PATH: nano,
  }
  const launcher = new Launcher({
    environment: { ...process.env, ...service, LOG_LEVEL: 'warn', ...settings },
    print: console.error,
  })
  try {
    const { url, apiKeyFile } = await launcher.start()
    const key = (await readFile(apiKeyFile, 'utf8')).trim()
    const answers: Answer[] = []
    for (const scene of scenes) {
      answers.push(await ask(url, key, scene))
      if (answers.length % 10 === 0) console.error(`${answers.length} answers from ${place}`)
    }
    return answers
  } finally {
    await launcher.stop()
    await rm(stateDir, { recursive: true, force: true })
  }
}

async function ask(url: string, key: string, scene: Uint8Array): Promise<Answer> {
  const picture = `data:image/png;base64,${Buffer.from(scene).toString('base64')}`
  const content = [
    { type: 'image_url', image_url: { url: picture } },
    { type: 'text', text: 'Describe this image.' },
  ]
  const response = await fetch(new URL('/v1/chat/completions', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'kimi-vl-nano',
      messages: [{ role: 'user', content }],
      temperature: 0,
      max_tokens: 128,
      logprobs: true,
      top_logprobs: 20,
    }),
  })
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
  return answerSchema.parse(await response.json()).choices[0]
}

/**
 * How much likelier, as a natural logarithm, the CPU's token is than the card's, on each device; undefined where
 * answers are equal.
 */
function leadsOf(cpu: Answer, card: Answer) {
  const [x, y] = [cpu.logprobs.content, card.logprobs.content]
  const token = x.findIndex((one, i) => one.token !== y[i]?.token)
  if (token < 0 && cpu.message.content === card.message.content) return undefined
  const leadIn = (tokens: typeof x) => {
    const logprob = (of: typeof x) =>
      tokens[token]?.top_logprobs.find((one) => one.token === of[token]?.token)?.logprob ??
      -Infinity
    return logprob(x) - logprob(y)
  }
  return { token, cpu: leadIn(x), card: leadIn(y) }
}
