import { describe, expect, it } from 'vitest'
import type { SequenceStatus } from '../jobs/phase-clock.ts'
import type { Sequence } from '../jobs/sequence.ts'
import type { StepLimits } from './step-plan.ts'
import type { StepRunner } from './step-runner.ts'
import { TurnRunner } from './turn-runner.ts'
import type { VisionStage } from './vision-stage.ts'

const limits: StepLimits = { stepTokenBudget: 512, prefillChunkTokens: 512 }

function sequence(status: SequenceStatus, tenant = 'someone'): Sequence {
  return { status, tenant, promptLeft: 100 } as Sequence
}

/** Steps of 10 ms and looks at 1 ms a unit of work, on a virtual clock. */
function start() {
  const clock = { ms: 0 }
  const stuck = new Set<Sequence>()
  const looks: number[] = []
  const budgets: number[] = []
  const steps = {
    ready: (running: readonly Sequence[]) => running.filter((each) => !stuck.has(each)),
    run(ready: readonly Sequence[], { stepTokenBudget }: StepLimits) {
      const decodeRows = ready.filter(({ status }) => status === 'decode').length
      const reads = ready.some(({ status }) => status === 'prefill')
      if (decodeRows === 0 && !reads) return Promise.resolve(undefined)
      budgets.push(stepTokenBudget)
      clock.ms += 10
      const promptTokens = reads ? Math.max(0, stepTokenBudget - decodeRows) : 0
      return Promise.resolve({ decodeRows, promptTokens, ms: 10 })
    },
  } as unknown as StepRunner
  const vision = {
    look(_running: unknown, _turn: number, work: number) {
      looks.push(work)
      clock.ms += work
      return Promise.resolve(work)
    },
  } as unknown as VisionStage
  const runner = new TurnRunner({
    steps,
    vision,
    limits,
    fixedChunkTokens: undefined,
    now: () => clock.ms,
    yieldToEvents: () => Promise.resolve(),
  })
  const turns = async (running: readonly Sequence[], count: number) => {
    for (let turn = 0; turn < count; turn++) await runner.run(running, turn)
  }
  return { turns, stuck, looks, budgets }
}

const [stream, image, prompt] = [sequence('decode'), sequence('vision'), sequence('prefill')]

describe('TurnRunner', () => {
  it('looks at an image beside streams as long as their pace allows, and not in every 33rd turn', async () => {
    const { turns, looks } = start()
    await turns([stream], 3)
    looks.length = 0
    await turns([stream, image], 66)
    expect(looks).toHaveLength(64)
    expect(looks[0]).toBe(1)
    for (const work of looks.slice(1)) expect(work).toBeCloseTo(8, 0)
  })

  it('goes on with it when the only streams wait for memory, whatever was to be measured', async () => {
    const { turns, stuck, looks } = start()
    await turns([stream], 3)
    await turns([stream, image], 32)
    stuck.add(stream)
    looks.length = 0
    await turns([stream, image], 10)
    expect(looks).toHaveLength(10)
    expect(looks.at(-1)).toBeCloseTo(500)
  })

  it('reads prompts at full speed when the only streams wait for memory', async () => {
    const { turns, stuck, budgets } = start()
    stuck.add(stream)
    await turns([stream, prompt], 2)
    expect(budgets).toEqual([512, 512])
  })

  it('reads as many tokens as there are streams for a tenant with less running', async () => {
    const streams = Array.from({ length: 6 }, () => sequence('decode'))
    const budgetsBeside = async (tenant: string) => {
      const { turns, budgets } = start()
      await turns(streams, 3)
      await turns([...streams, sequence('prefill', tenant)], 1)
      return budgets.at(-1)! - streams.length
    }
    expect(await budgetsBeside('someone')).toBe(4)
    expect(await budgetsBeside('another')).toBe(6)
  })

  it('gives an image as much time as each prompt where nobody streams', async () => {
    const { turns, looks } = start()
    await turns([image], 3)
    expect(looks.at(-1)).toBeCloseTo(500)
    await turns([image, prompt, prompt], 1)
    expect(looks.at(-1)).toBeCloseTo(5)
  })
})
