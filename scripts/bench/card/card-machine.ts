import type { Accelerator, Tensors } from '../../../backend/model/accelerator/accelerator.ts'
import {
  cardCopy,
  msPerRun,
  openCopyProbe,
  openWaiter,
  softwareCopy,
} from '../../../backend/model/accelerator/copy-probe.ts'
import { deviceForm } from '../../../backend/graph/device-graph.ts'
import { GraphBuilder } from '../../../backend/graph/graph-builder.ts'
import type { GraphSpec } from '../../../backend/graph/onnx-proto.ts'
import { matMul, matMulNBits } from '../../../backend/graph/operators/matrix-products.ts'
import { pieceTokens } from '../../../backend/model/deepseek/device/run-plan.ts'
import { bytesOf } from '../../../backend/graph/weight-source.ts'
import type { Machine } from '../machine.ts'
import { randomBytes, randomFloats } from './noise.ts'

/** Sizes of the probes: large enough that a card is busy for longer than a run takes to record. */
interface ProbeSizes {
  /** float32 numbers that are copied. */
  readonly copied: number
  /** Side of a square product. */
  readonly side: number
}

/** 137 * 10^9 operations in the product. */
export const cardSizes: ProbeSizes = { copied: cardCopy, side: 4096 }

/** 34 * 10^6 operations in the product. */
export const softwareSizes: ProbeSizes = { copied: softwareCopy, side: 256 }

/** Of the product with 8-bit weights; the decoder's own are of blocks of 32. */
const blockSize = 32

/** A card's limits, measured through the same runtime as the model. */
export interface CardMachine extends Machine {
  /** 10^9 operations per second of a product with 8-bit weights and as many rows as a piece of a prompt has tokens. */
  eightBitGigaflops(): Promise<number>
}

/** @throws {DeviceError} when the card has too little memory for the probes */
export async function openCardMachine(
  accelerator: Accelerator,
  { copied, side }: ProbeSizes,
): Promise<CardMachine> {
  const copyRate = await openCopyProbe(accelerator, copied)
  const { square, eightBit } = await openProducts(accelerator, side)
  const settle = await openWaiter(accelerator)
  const readBandwidth = async () => (await copyRate()) / 1e9
  return {
    readBandwidth,
    async measure() {
      return {
        gigabytesPerSecond: await readBandwidth(),
        gigaflops: (2 * side ** 3) / (await msPerRun(square, settle)) / 1e6,
      }
    },
    async eightBitGigaflops() {
      return (2 * pieceTokens * side ** 2) / (await msPerRun(eightBit, settle)) / 1e6
    },
    close: () => accelerator.close(),
  }
}

async function openProducts(accelerator: Accelerator, side: number) {
  const dims = [side, side]
  // Zeros would cost less power, and so run faster, than numbers do.
  const numbers = () => accelerator.upload('float32', dims, bytesOf(randomFloats(side ** 2, 1)))
  const [x, w] = [await numbers(), await numbers()]
  const narrow = [pieceTokens, side]
  const blocks = [side, side / blockSize]
  const eightBitFeeds = {
    x: accelerator.view(x, narrow),
    w: await accelerator.upload('uint8', [...blocks, blockSize], randomBytes(side ** 2)),
    scales: accelerator.view(w, blocks),
  }
  const product = async (graph: GraphSpec, feeds: Tensors, result: readonly number[]) => {
    const session = await accelerator.open(deviceForm(graph))
    const y = await accelerator.zeros('float32', result)
    return () => accelerator.run(session, feeds, { y })
  }
  return {
    square: await product(squareGraph(side), { x, w }, dims),
    eightBit: await product(eightBitGraph(side), eightBitFeeds, narrow),
  }
}

/** y = x w, all square */
function squareGraph(side: number): GraphSpec {
  const g = new GraphBuilder('square')
  const dims = [side, side]
  const product = matMul(g, g.input('x', 'float32', dims), g.input('w', 'float32', dims))
  g.output('y', product, 'float32', dims)
  return g.build().spec
}

/** y = x w^T with w in 8 bits, as the decoder has it */
function eightBitGraph(side: number): GraphSpec {
  const g = new GraphBuilder('eight bits')
  const x = g.input('x', 'float32', [pieceTokens, side])
  const values = g.input('w', 'uint8', [side, side / blockSize, blockSize])
  const scales = g.input('scales', 'float32', [side, side / blockSize])
  const shape = { n: side, k: side, blockSize, activations: 'float32' } as const
  g.output('y', matMulNBits(g, x, { values, scales }, shape), 'float32', [pieceTokens, side])
  return g.build().spec
}
