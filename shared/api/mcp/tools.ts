import * as z from 'zod'
import { maxQuestionChars, maxToolImages, maxToolTokens, toolAnswerTokens } from './tool-limits.ts'

/** What a tool asks the model. */
export interface ToolQuestion {
  /** As given, each with the path of its argument. */
  readonly images: readonly { readonly text: string; readonly param: string }[]
  readonly question: string
  readonly maxTokens: number
}

/** The structured content of an answer. */
export const seen = z.object({
  text: z.string().describe('The answer'),
  finish_reason: z
    .enum(['stop', 'length', 'timeout'])
    .describe('stop: complete; length: max_tokens reached; timeout: out of time, cut short'),
  usage: z.object({
    prompt_tokens: z.int(),
    image_tokens: z.int(),
    completion_tokens: z.int(),
  }),
})

export type Seen = z.infer<typeof seen>

export interface Tool {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly input: z.ZodObject
  readonly ask: (given: Readonly<Record<string, unknown>>) => ToolQuestion
}

const lengths = {
  short: 'in one sentence',
  normal: 'in a short paragraph',
  long: 'in detail: its objects, people, text, colours, composition and setting',
} as const

type ToolName = 'describe_image' | 'ask_about_image' | 'extract_text' | 'compare_images'

/** What distinguishes one tool. */
interface Definition<Fields extends z.ZodRawShape> {
  readonly name: ToolName
  readonly title: string
  readonly description: string
  /** Its arguments; all tools have `max_tokens` besides. */
  readonly fields: Fields
  readonly ask: (given: z.infer<z.ZodObject<Fields>>) => Omit<ToolQuestion, 'maxTokens'>
}

/**
 * The tools.
 * @param imageText describes how an image may be given
 * @param reasons whether the model thinks before it answers; thoughts count towards the length, so it gets the highest one
 */
export function tools(imageText: string, reasons = false): readonly Tool[] {
  const image = z.string().min(1).describe(imageText)
  return [
    tool(describeImage(image), reasons),
    tool(askAboutImage(image), reasons),
    tool(extractText(image), reasons),
    tool(compareImages(image), reasons),
  ]
}

function describeImage(image: z.ZodString) {
  return definition({
    name: 'describe_image',
    title: 'Describe an image',
    description: 'Describes what an image shows.',
    fields: {
      image,
      detail: z.enum(['short', 'normal', 'long']).default('normal'),
      language: z.string().max(35).optional().describe('Language of the answer'),
    },
    ask: ({ image: text, detail, language }) => ({
      images: [{ text, param: 'image' }],
      question: `Describe this image ${lengths[detail]}.${language === undefined ? '' : ` Answer in ${language}.`}`,
    }),
  })
}

function askAboutImage(image: z.ZodString) {
  return definition({
    name: 'ask_about_image',
    title: 'Ask about images',
    description: 'Answers a question about one or several images.',
    fields: {
      images: z.array(image).min(1).max(maxToolImages),
      question: z.string().min(1).max(maxQuestionChars),
    },
    ask: ({ images, question }) => ({ images: numbered(images), question }),
  })
}

function extractText(image: z.ZodString) {
  return definition({
    name: 'extract_text',
    title: 'Extract text',
    description: 'Reads the text in an image: a document, a sign, a screenshot.',
    fields: { image },
    ask: ({ image: text }) => ({
      images: [{ text, param: 'image' }],
      question:
        'Write down all text in this image exactly as it appears, line by line, and nothing else.',
    }),
  })
}

function compareImages(image: z.ZodString) {
  return definition({
    name: 'compare_images',
    title: 'Compare images',
    description: 'Says what several images have in common and how they differ.',
    fields: {
      images: z.array(image).min(2).max(maxToolImages),
      question: z
        .string()
        .min(1)
        .max(maxQuestionChars)
        .optional()
        .describe('What to compare; by default everything'),
    },
    ask: ({
      images,
      question = 'Compare these images: what do they have in common, and how do they differ? Refer to them by their order.',
    }) => ({ images: numbered(images), question }),
  })
}

/** Infers the types of the arguments. */
function definition<Fields extends z.ZodRawShape>(given: Definition<Fields>): Definition<Fields> {
  return given
}

function tool<Fields extends z.ZodRawShape>(
  { name, title, description, fields, ask }: Definition<Fields>,
  reasons: boolean,
): Tool {
  const standard = reasons ? maxToolTokens : toolAnswerTokens(name)
  // Optional rather than with a default: the server knows better than a program in front of it what is enough.
  const limit = z
    .int()
    .min(1)
    .max(maxToolTokens)
    .optional()
    .meta({ default: standard, description: 'Maximum length of the answer in tokens' })
  const own = z.object(fields)
  return {
    name,
    title,
    description,
    input: z.object({ ...fields, max_tokens: limit }),
    // Parsing restores the types that a list of tools hides.
    ask: (checked) => ({
      ...ask(own.parse(checked)),
      maxTokens: limit.parse(checked['max_tokens']) ?? standard,
    }),
  }
}

function numbered(texts: readonly string[]): ToolQuestion['images'] {
  return texts.map((text, index) => ({ text, param: `images.${index}` }))
}
