import * as z from 'zod'
import {
  AnswerError,
  errorCodeIn,
  parseData,
  promptOf,
  type LoadApi,
  type Workload,
} from './load-api.ts'

const chunk = z.object({
  error: z.unknown().optional(),
  choices: z
    .array(
      z.object({
        delta: z
          .object({
            content: z.string().nullish(),
            /** The reasoning of a thinking model before its answer, under the name several servers use. */
            reasoning_content: z.string().nullish(),
          })
          .nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .optional(),
  usage: z.object({ completion_tokens: z.int().min(0) }).nullish(),
})

/** OpenAI's chat completions, as offered by many servers; images precede the text as data URIs. */
export function openAiApi(workload: Workload, model: string): LoadApi {
  const images = workload.images.map(({ type, bytes }) => ({
    type: 'image_url',
    image_url: { url: `data:${type};base64,${Buffer.from(bytes).toString('base64')}` },
  }))
  const contentOf = (prompt: string) =>
    images.length === 0 ? prompt : [...images, { type: 'text', text: prompt }]
  return {
    path: '/v1/chat/completions',
    headers: (key) => ({
      accept: 'text/event-stream',
      'content-type': 'application/json',
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    }),
    body: (n) =>
      JSON.stringify({
        model,
        messages: [{ role: 'user', content: contentOf(promptOf(workload, n)) }],
        max_tokens: workload.maxTokens,
        temperature: workload.temperature,
        stream: true,
        stream_options: { include_usage: true },
      }),
    readEvent({ event, data }) {
      if (data === '[DONE]') return { hasText: false, isEnd: true }
      const { error, choices = [], usage } = parseData(chunk, data)
      if (error != null || event === 'error') {
        throw new AnswerError(errorCodeIn(data, 'error_event'))
      }
      return {
        hasText: choices.some(({ delta }) => !!delta?.content || !!delta?.reasoning_content),
        isEnd: choices.some(({ finish_reason: reason }) => reason != null),
        completionTokens: usage?.completion_tokens,
      }
    },
  }
}
