import type { ChatBody, StandInEvent, StandInKind } from './wire.ts'

type TextEvent = Extract<StandInEvent, { type: 'text' }>
type EndEvent = Extract<StandInEvent, { type: 'end' }>

/** The data of the events in which an engine of this kind answers, in order; `[DONE]` is the last. */
export async function* streamAnswer(
  kind: StandInKind,
  model: string,
  body: ChatBody,
  events: AsyncIterable<StandInEvent>,
): AsyncGenerator<string> {
  const form = new ChunkForm(kind, model, body)
  let begun = false
  for await (const event of events) {
    if (!begun) for (let choice = 0; choice < body.n; choice++) yield form.role(choice)
    begun = true
    if (event.type === 'text') yield form.text(event)
    else yield* form.end(event)
  }
  yield '[DONE]'
}

class ChunkForm {
  readonly #kind: StandInKind
  readonly #model: string
  readonly #body: ChatBody

  constructor(kind: StandInKind, model: string, body: ChatBody) {
    this.#kind = kind
    this.#model = model
    this.#body = body
  }

  role(index: number): string {
    return this.#chunk([
      { index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null },
    ])
  }

  text({ choice: index, thought, text, logprobs, tokens }: TextEvent): string {
    const content = logprobs?.map(({ top, ...token }) => ({
      ...this.#token(token),
      top_logprobs: top.map((each) => this.#token(each)),
    }))
    const choice = {
      index,
      delta: thought === undefined ? { content: text } : this.#thought(thought),
      logprobs: content === undefined ? null : { content },
      finish_reason: null,
    }
    const countsNow = this.#body.stream_options?.continuous_usage_stats === true
    const isAble = this.#kind === 'vllm' || this.#kind === 'sglang'
    const usage = { prompt_tokens: 10, completion_tokens: tokens, total_tokens: 10 + tokens }
    return this.#chunk([choice], countsNow && isAble ? { usage } : {})
  }

  #thought(thought: string): object {
    // vLLM has renamed its field; the others kept the name.
    return this.#kind === 'vllm' ? { reasoning: thought } : { reasoning_content: thought }
  }

  *end(event: EndEvent): Generator<string> {
    for (const [index, { reason, stopText }] of event.endings.entries()) {
      const matched = { vllm: 'stop_reason', sglang: 'matched_stop' }[this.#kind as string]
      const stop = matched === undefined ? {} : { [matched]: stopText ?? null }
      yield this.#chunk([{ index, delta: { content: '' }, finish_reason: reason, ...stop }])
    }
    if (this.#body.stream_options?.include_usage !== true) return
    const { promptTokens: prompt_tokens, completionTokens: completion_tokens } = event
    const { cachedTokens, thoughtTokens } = event
    const usage = {
      prompt_tokens,
      completion_tokens,
      total_tokens: prompt_tokens + completion_tokens,
      prompt_tokens_details: { cached_tokens: cachedTokens },
      ...(thoughtTokens !== undefined && this.#thoughtCount(thoughtTokens)),
    }
    yield this.#chunk([], { usage })
  }

  #thoughtCount(tokens: number): object {
    if (this.#kind === 'sglang') return { reasoning_tokens: tokens }
    return { completion_tokens_details: { reasoning_tokens: tokens } }
  }

  #token({ id, logprob }: { readonly id: number; readonly logprob: number }) {
    if (this.#kind === 'llama-server') return { id, token: `t${id}`, bytes: [116], logprob }
    return { token: `token_id:${id}`, bytes: null, logprob }
  }

  #chunk(choices: readonly object[], more: object = {}): string {
    const head = {
      id: 'chatcmpl-1',
      object: 'chat.completion.chunk',
      created: 1,
      model: this.#model,
    }
    return JSON.stringify({ ...head, choices, ...more })
  }
}
