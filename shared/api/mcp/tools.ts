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

export interface Tool<Schema extends z.ZodObject = z.ZodObject> {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly input: Schema
  readonly ask: (given: z.infer<Schema>) => ToolQuestion
}

const lengths = {
  short: 'in one sentence',
  normal: 'in a short paragraph',
  long: 'in detail: its objects, people, text, colours, composition and setting',
} as const

/** The arguments that several tools have. */
interface Arguments {
  readonly image: z.ZodString
  /** A list of `least` or more images. */
  readonly images: (least: number) => z.ZodArray<z.ZodString>
  readonly limit: (name: ToolName) => z.ZodOptional<z.ZodInt>
  /** `max_tokens` where it is not given. */
  readonly standard: (name: ToolName) => number
}

type ToolName = 'describe_image' | 'ask_about_image' | 'extract_text' | 'compare_images'

/**
 * The tools.
 * @param imageText describes how an image may be given
 * @param reasons whether the model thinks before it answers; thoughts count towards the length, so it gets the highest one
 */
export function tools(imageText: string, reasons = false): readonly Tool[] {
  const shared = argumentsOf(imageText, reasons)
  return [describeImage(shared), askAboutImage(shared), extractText(shared), compareImages(shared)]
}

function argumentsOf(imageText: string, reasons: boolean): Arguments {
  const image = z.string().min(1).describe(imageText)
  const standard = (name: ToolName) => (reasons ? maxToolTokens : toolAnswerTokens(name))
  return {
    image,
    images: (least) => z.array(image).min(least).max(maxToolImages),
    // Optional rather than with a default: the server knows better than a program in front of it what is enough.
    limit: (name) =>
      z
        .int()
        .min(1)
        .max(maxToolTokens)
        .optional()
        .meta({
          default: standard(name),
          description: 'Maximum length of the answer in tokens',
        }),
    standard,
  }
}

function describeImage({ image, limit, standard }: Arguments): Tool {
  const name = 'describe_image'
  return tool({
    name,
    title: 'Describe an image',
    description: 'Describes what an image shows.',
    input: z.object({
      image,
      detail: z.enum(['short', 'normal', 'long']).default('normal'),
      language: z.string().max(35).optional().describe('Language of the answer'),
      max_tokens: limit(name),
    }),
    ask: ({ image: text, detail, language, max_tokens: maxTokens = standard(name) }) => ({
      images: [{ text, param: 'image' }],
      question: `Describe this image ${lengths[detail]}.${language === undefined ? '' : ` Answer in ${language}.`}`,
      maxTokens,
    }),
  })
}

function askAboutImage({ images, limit, standard }: Arguments): Tool {
  const name = 'ask_about_image'
  return tool({
    name,
    title: 'Ask about images',
    description: 'Answers a question about one or several images.',
    input: z.object({
      images: images(1),
      question: z.string().min(1).max(maxQuestionChars),
      max_tokens: limit(name),
    }),
    ask: ({ images: texts, question, max_tokens: maxTokens = standard(name) }) => ({
      images: numbered(texts),
      question,
      maxTokens,
    }),
  })
}

function extractText({ image, limit, standard }: Arguments): Tool {
  const name = 'extract_text'
  return tool({
    name,
    title: 'Extract text',
    description: 'Reads the text in an image: a document, a sign, a screenshot.',
    input: z.object({ image, max_tokens: limit(name) }),
    ask: ({ image: text, max_tokens: maxTokens = standard(name) }) => ({
      images: [{ text, param: 'image' }],
      question:
        'Write down all text in this image exactly as it appears, line by line, and nothing else.',
      maxTokens,
    }),
  })
}

function compareImages({ images, limit, standard }: Arguments): Tool {
  const name = 'compare_images'
  return tool({
    name,
    title: 'Compare images',
    description: 'Says what several images have in common and how they differ.',
    input: z.object({
      images: images(2),
      question: z
        .string()
        .min(1)
        .max(maxQuestionChars)
        .optional()
        .describe('What to compare; by default everything'),
      max_tokens: limit(name),
    }),
    ask: ({ images: texts, question, max_tokens: maxTokens = standard(name) }) => ({
      images: numbered(texts),
      question:
        question ??
        'Compare these images: what do they have in common, and how do they differ? Refer to them by their order.',
      maxTokens,
    }),
  })
}

/** Hides the type of the arguments, so that tools fit into one list; parsing restores it. */
function tool<Schema extends z.ZodObject>(given: Tool<Schema>): Tool {
  return { ...given, ask: (checked) => given.ask(given.input.parse(checked)) }
}

function numbered(texts: readonly string[]): ToolQuestion['images'] {
  return texts.map((text, index) => ({ text, param: `images.${index}` }))
}
