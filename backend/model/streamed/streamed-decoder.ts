import type { WeightForm } from '../../graph/layers.ts'
import type { PartBalance } from '../convert/graphs/part-balance.ts'
import type { ComponentForms } from '../convert/graphs/weight-forms.ts'
import type { OpenGraph } from '../sessions.ts'
import { decoderNames } from '../deepseek/decoder-names.ts'
import { attentionFeeds } from './attention-feeds.ts'
import { chooseExperts, type Assignment } from './choose-experts.ts'
import type { TextLayout } from './given-text.ts'
import {
  attentionGraph,
  feedForwardGraph,
  headGraph,
  lastNormGraph,
  normGraph,
  pieceNames,
  type DecoderSource,
  type FeedForward,
} from './piece-graphs.ts'
import { floatsOf, range, runByRows } from './row-states.ts'
import { SharedSession } from './shared-session.ts'
import { withSession, type SessionOptions } from './with-session.ts'

/** Tokens of the vocabulary whose rows of the head are in memory at a time: 67 MB of the real model's in float32. */
const headRows = 8192

interface StreamedDecoderOptions extends SessionOptions {
  readonly onProgress: (line: string) => void
}

/**
 * Runs a decoder in several forms at once, layer by layer, for texts that are known in full. Only one piece of the
 * weights is in memory at a time (a layer's attention, an expert, a part of the head), in each requested form; the
 * hidden rows of all tokens stay in memory. So each weight is read once, and memory does not depend on the number of
 * layers.
 */
export class StreamedDecoder {
  readonly #source: DecoderSource
  readonly #forms: readonly ComponentForms[]
  readonly #layout: TextLayout
  readonly #options: StreamedDecoderOptions
  /** [forms, rows, hidden] */
  readonly #hidden: Float32Array
  readonly #networks: SharedSession

  /** @param embedded of each form, [rows, hidden] */
  constructor(
    source: DecoderSource,
    forms: readonly ComponentForms[],
    layout: TextLayout,
    embedded: readonly Float32Array[],
    options: StreamedDecoderOptions,
  ) {
    // The tables of rotary positions need not be longer than the texts.
    const longest = Math.max(...layout.chunks.map(({ position, count }) => position + count))
    this.#source = { ...source, config: { ...source.config, max_position_embeddings: longest } }
    this.#forms = forms
    this.#layout = layout
    this.#options = options
    this.#networks = new SharedSession(options)
    this.#hidden = new Float32Array(forms.length * layout.rows * source.config.hidden_size)
    embedded.forEach((rows, form) => this.#hidden.set(rows, form * rows.length))
  }

  /** Runs all layers. */
  async run(balance: Pick<PartBalance, 'find' | 'set'>): Promise<void> {
    const { signal, onProgress } = this.#options
    const layers = this.#source.config.num_hidden_layers
    for (let layer = 0; layer < layers; layer++) {
      onProgress(`decoder: layer ${layer + 1} of ${layers}`)
      balance.set(await balance.find(`layers.${layer}`, signal))
      await this.runLayer(layer)
    }
  }

  /** Hidden rows of all tokens after the latest layer: [forms, rows, hidden]. */
  get rows(): Float32Array {
    return this.#hidden
  }

  async runLayer(layer: number): Promise<void> {
    await this.#attention(layer)
    try {
      await this.#feedForward(layer)
    } finally {
      await this.#networks.close()
    }
  }

  /** Runs only the norm before the head, to expose its result. */
  async runLastNorm(): Promise<void> {
    await withSession(lastNormGraph(this.#source), this.#options, (session) =>
      this.#logitsOf(session, 0, this.#source.config.hidden_size),
    )
  }

  /** Yields the logits of all forms and all requested rows, for some tokens of the vocabulary at a time. */
  async *logits(): AsyncGenerator<LogitPiece, void> {
    const { vocab_size: vocabulary } = this.#source.config
    for (let firstId = 0; firstId < vocabulary; firstId += headRows) {
      const count = Math.min(headRows, vocabulary - firstId)
      this.#options.onProgress(`head: token ${firstId} of ${vocabulary}`)
      const made: Float32Array[] = []
      for (const { form, members } of this.#byForm('head')) {
        await withSession(
          headGraph(this.#source, { firstId, count }, form),
          this.#options,
          async (session) => {
            for (const member of members)
              made[member] = await this.#logitsOf(session, member, count)
          },
        )
      }
      yield { firstId, count, logits: made }
    }
  }

  /** @returns [asked, count] */
  async #logitsOf(session: OpenGraph, member: number, count: number): Promise<Float32Array> {
    const { rows, asked } = this.#layout
    const result = new Float32Array(asked.length * count)
    const indices = asked.map((row) => member * rows + row)
    let done = 0
    await runByRows(session, pieceNames.rows, this.#rowsOf(this.#hidden, indices), (outputs) => {
      const logits = floatsOf(outputs, pieceNames.result)
      result.set(logits, done)
      done += logits.length
    })
    return result
  }

  /** The distinct forms of a component, each with the indices of the `forms` that use it. */
  #byForm(component: keyof ComponentForms): { form: WeightForm; members: number[] }[] {
    const groups = Map.groupBy(this.#forms.keys(), (member) =>
      JSON.stringify(this.#forms[member]![component]),
    )
    return [...groups].map(([form, members]) => ({
      form: JSON.parse(form) as WeightForm,
      members,
    }))
  }

  #rowsOf(matrix: Float32Array, indices: readonly number[]) {
    return { matrix, width: this.#source.config.hidden_size, indices }
  }

  async #attention(layer: number): Promise<void> {
    for (const { form, members } of this.#byForm('attention')) {
      const graph = attentionGraph(this.#source, layer, form)
      await withSession(graph, this.#options, async (session) => {
        for (const member of members) await this.#attend(session, layer, member)
      })
    }
  }

  async #attend(session: OpenGraph, layer: number, member: number): Promise<void> {
    const { hidden_size: hidden } = this.#source.config
    let past: Float32Array = new Float32Array(0)
    for (const chunk of this.#layout.chunks) {
      if (chunk.isPrompt) past = new Float32Array(0)
      const start = (member * this.#layout.rows + chunk.firstRow) * hidden
      const rows = this.#hidden.subarray(start, start + chunk.count * hidden)
      const outputs = await session.run(
        attentionFeeds(this.#source.config, layer, chunk, rows, past),
      )
      past = floatsOf(outputs, decoderNames.present(layer))
      rows.set(floatsOf(outputs, pieceNames.result))
    }
  }

  async #feedForward(layer: number): Promise<void> {
    const { config } = this.#source
    const normed = await this.#normed(layer)
    const all = range(0, this.#forms.length * this.#layout.rows).map((row) => ({ row, share: 1 }))
    if (layer < config.first_k_dense_replace) {
      const dense = { name: '', width: config.intermediate_size }
      await this.#addNetwork(layer, dense, 'dense', normed, all)
      return
    }
    const { moe_intermediate_size: width } = config
    const chosen = await chooseExperts(this.#source, layer, normed, this.#options)
    for (const [expert, assignments] of chosen.entries()) {
      const network = { name: `.experts.${expert}`, width }
      await this.#addNetwork(layer, network, 'experts', normed, assignments)
    }
    const shared = { name: '.shared_experts', width: width * config.n_shared_experts }
    await this.#addNetwork(layer, shared, 'experts', normed, all)
  }

  /** All rows of all forms, normed. */
  #normed(layer: number): Promise<Float32Array> {
    return withSession(normGraph(this.#source, layer), this.#options, async (session) => {
      const result = new Float32Array(this.#hidden.length)
      const { hidden_size: hidden } = this.#source.config
      const indices = range(0, this.#hidden.length / hidden)
      const rows = this.#rowsOf(this.#hidden, indices)
      await runByRows(session, pieceNames.rows, rows, (outputs, [first]) =>
        result.set(floatsOf(outputs, pieceNames.normed), first! * hidden),
      )
      return result
    })
  }

  /** Adds the results of a network to the hidden rows. */
  async #addNetwork(
    layer: number,
    network: FeedForward,
    component: 'dense' | 'experts',
    normed: Float32Array,
    assignments: readonly Assignment[],
  ): Promise<void> {
    const { hidden_size: hidden } = this.#source.config
    for (const { form, members } of this.#byForm(component)) {
      const own = assignments.filter(({ row }) =>
        members.includes(Math.floor(row / this.#layout.rows)),
      )
      if (own.length === 0) continue
      const graph = feedForwardGraph(this.#source, layer, network, form)
      const add = async (session: OpenGraph) => {
        let next = 0
        const rows = this.#rowsOf(
          normed,
          own.map(({ row }) => row),
        )
        await runByRows(session, pieceNames.rows, rows, (outputs, indices) => {
          const results = floatsOf(outputs, pieceNames.result)
          indices.forEach((row, i) => {
            const { share } = own[next++]!
            for (let c = 0; c < hidden; c++) {
              this.#hidden[row * hidden + c]! += share * results[i * hidden + c]!
            }
          })
        })
      }
      if (form.kind === 'f32') await this.#networks.run(graph, add)
      else await withSession(graph, this.#options, add)
    }
  }
}

/** Logits of tokens [firstId, firstId + count). */
export interface LogitPiece {
  readonly firstId: number
  readonly count: number
  /** Of each form, [rows asked for, count]. */
  readonly logits: readonly Float32Array[]
}
