import { FormData } from 'undici'
import * as z from 'zod'
import { routes } from '../../shared/api/routes.ts'
import {
  AnswerError,
  errorCodeIn,
  parseData,
  promptOf,
  type LoadApi,
  type StreamPart,
  type Workload,
} from './load-api.ts'

const delta = z.object({ text: z.string() })
const end = z.object({ usage: z.object({ completion_tokens: z.int().min(0) }) })

const nothing: StreamPart = { hasText: false, isEnd: false }

/** This server's own API: JSON without images, a multipart form with them. */
export function nativeApi(workload: Workload): LoadApi {
  const hasImages = workload.images.length > 0
  return {
    path: hasImages ? routes.image.path : routes.text.path,
    headers: (key) => ({
      accept: 'text/event-stream',
      ...(!hasImages && { 'content-type': 'application/json' }),
      ...(key !== undefined && { 'x-api-key': key }),
    }),
    body(n) {
      const fields = {
        prompt: promptOf(workload, n),
        max_tokens: workload.maxTokens,
        temperature: workload.temperature,
        stream: true,
      }
      return hasImages ? formOf(fields, workload) : JSON.stringify(fields)
    },
    readEvent({ event, data }) {
      switch (event) {
        case 'delta':
          return { hasText: parseData(delta, data).text !== '', isEnd: false }
        case 'end': {
          const { usage } = parseData(end, data)
          return { hasText: false, isEnd: true, completionTokens: usage.completion_tokens }
        }
        case 'error':
          throw new AnswerError(errorCodeIn(data, 'error_event'))
        default:
          return nothing
      }
    },
  }
}

function formOf(fields: Record<string, string | number | boolean>, { images }: Workload): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.append(name, String(value))
  for (const { name, type, bytes } of images) {
    form.append('images', new Blob([bytes], { type }), name)
  }
  return form
}
