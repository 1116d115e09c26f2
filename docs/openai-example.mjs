// Asks about the picture beside it with OpenAI's client. It reads OPENAI_BASE_URL and OPENAI_API_KEY.
import { readFile } from 'node:fs/promises'
import OpenAI from 'openai'

const picture = await readFile(new URL('sample.png', import.meta.url), 'base64')
const stream = await new OpenAI().chat.completions.create({
  model: 'kimi-vl',
  stream: true,
  messages: [
    {
      role: 'user',
      content: [
        { type: 'image_url', image_url: { url: `data:image/png;base64,${picture}` } },
        { type: 'text', text: 'Describe this image.' },
      ],
    },
  ],
})
for await (const { choices } of stream) process.stdout.write(choices[0]?.delta.content ?? '')
process.stdout.write('\n')
