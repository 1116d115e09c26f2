/** A numeric setting, by its name in the API. A test compares the ranges with those of the API. */
export interface NumberField {
  readonly name: 'temperature' | 'top_p' | 'max_tokens' | 'seed' | 'n'
  readonly label: string
  readonly hint: string
  /** What applies when the field is empty. */
  readonly standard: string
  readonly min: number
  readonly max?: number
  readonly whole: boolean
}

export const numberFields: readonly NumberField[] = [
  {
    name: 'temperature',
    label: 'Temperature',
    hint: '0 always takes the most likely word; higher is more varied',
    standard: '0.7',
    min: 0,
    max: 2,
    whole: false,
  },
  {
    name: 'top_p',
    label: 'Top p',
    hint: 'Share of the likely words to draw from',
    standard: '0.9',
    min: 0.001,
    max: 1,
    whole: false,
  },
  {
    name: 'max_tokens',
    label: 'Max tokens',
    hint: 'Longest answer',
    standard: 'server’s',
    min: 1,
    whole: true,
  },
  {
    name: 'seed',
    label: 'Seed',
    hint: 'The same seed repeats an answer',
    standard: 'random',
    min: Number.MIN_SAFE_INTEGER,
    max: Number.MAX_SAFE_INTEGER,
    whole: true,
  },
  {
    name: 'n',
    label: 'Answers',
    hint: 'How many answers to one question',
    standard: '1',
    min: 1,
    max: 8,
    whole: true,
  },
]
