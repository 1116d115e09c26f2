import { nullNote, type RouteDocs, type StreamDoc } from '../route-doc.ts'
import { asking, withForm, withImages, withUrls } from '../route-errors.ts'

const nativeStream: StreamDoc = {
  description:
    'Sent when `stream` is true, or, where it is absent, when `Accept` asks for it. `queued`; `reasoning` as often as a model that thinks does; `delta` as often as text comes; at last `end` or `error`. Lines that begin with a colon are comments.',
  events: {
    queued: 'StreamQueued',
    reasoning: 'StreamReasoning',
    delta: 'StreamDelta',
    end: 'StreamEnd',
    error: 'Error',
  },
}

/** Our own routes for questions. */
export const nativeDocs: RouteDocs<'text' | 'image' | 'imageUrl'> = {
  text: {
    tag: 'Ask',
    summary: 'Answer a prompt',
    description: nullNote,
    body: { 'application/json': 'TextRequest' },
    example: { prompt: 'What is the capital of France?', temperature: 0 },
    answers: { 200: 'Answer' },
    stream: nativeStream,
    asks: true,
    errors: asking,
  },
  image: {
    tag: 'Ask',
    summary: 'Answer a prompt about uploaded images',
    description: 'In a form every value is text: `logit_bias` as JSON, `stop` once for each text.',
    body: { 'multipart/form-data': 'ImageForm' },
    example: { prompt: 'Describe this image.', images: '@picture.png' },
    answers: { 200: 'Answer' },
    stream: nativeStream,
    asks: true,
    errors: [...asking, ...withForm, ...withImages, 'missing_images'],
  },
  imageUrl: {
    tag: 'Ask',
    summary: 'Answer a prompt about images at URLs',
    description: `${nullNote} In a form every value is text: \`logit_bias\` as JSON, \`image_url\` and \`stop\` once for each text.`,
    body: {
      'application/json': 'ImageUrlRequest',
      'application/x-www-form-urlencoded': 'ImageUrlRequest',
      'multipart/form-data': 'ImageUrlRequest',
    },
    example: {
      prompt: 'Describe this image.',
      image_url: 'https://example.com/picture.png',
    },
    answers: { 200: 'Answer' },
    stream: nativeStream,
    asks: true,
    errors: [...asking, ...withForm, ...withImages, ...withUrls],
  },
}
