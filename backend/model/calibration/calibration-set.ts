import { createHash } from 'node:crypto'
import { paintPatches, type Painting } from './paint-patches.ts'

/** A question with the answer given to it, and what the question is about if it has a picture. */
export interface CalibrationText {
  readonly question: string
  readonly answer: string
  readonly picture?: CalibrationPicture
}

export interface CalibrationPicture {
  /** Patches a column and a row, both even. */
  readonly gridHw: readonly [number, number]
  readonly painting: Painting
}

const isInside = (x: number, y: number, size: number) => Math.max(Math.abs(x), Math.abs(y)) < size
/** 0..1, without any pattern that could be seen. */
const noise = (x: number, y: number) => Math.abs(Math.sin(x * 1733 + y * 2917) * 21_911) % 1

/** Shapes on a background, as diagrams and icons have them. */
const shapes: Painting = (x, y) => {
  if (Math.hypot(x - 0.3, y - 0.35) < 0.2) return [230, 40, 40]
  if (isInside(x - 0.72, y - 0.3, 0.15)) return [250, 210, 30]
  if (y > 0.6 && Math.abs(x - 0.5) < (y - 0.6) * 0.7) return [30, 90, 210]
  return [250, 250, 250]
}

const night: Painting = (x, y) => {
  if (Math.hypot(x - 0.75, y - 0.2) < 0.1) return [255, 250, 210]
  if (y > 0.75 + 0.08 * Math.sin(9 * x)) return [10, 30 + 20 * noise(x, y), 15]
  return noise(Math.floor(40 * x), Math.floor(40 * y)) > 0.97
    ? [240, 240, 255]
    : [8, 12, 40 + 60 * y]
}

const checkerboard: Painting = (x, y) =>
  (6 * x) % 1 < 0.5 === (10 * y) % 1 < 0.5 ? [255, 255, 255] : [0, 0, 0]

/** Lines of strokes like those of a printed page. */
const page: Painting = (x, y) => {
  const line = Math.floor(24 * y)
  const isStroke = (24 * y) % 1 < 0.6 && Math.sin(140 * x + 31 * line) > -0.2
  return isStroke && x > 0.08 && x < 0.9 ? [20, 20, 24] : [248, 246, 240]
}

/** Soft light with grain, as photographs have it. */
const dunes: Painting = (x, y) => {
  const light = 0.5 + 0.2 * Math.sin(9 * x + 3 * y) + 0.2 * Math.sin(21 * x * y + 2)
  const grain = 26 * noise(x, y)
  return [190 * light + grain, 170 * light + grain, 120 * light + grain]
}

/**
 * What models are calibrated on: typical conversations in several languages and notations, and pictures of several
 * kinds, small, wide and tall. When this changes, `converterVersion` must be increased.
 */
export const calibrationSet: readonly CalibrationText[] = [
  {
    question: 'What is the difference between weather and climate?',
    answer:
      'Weather is what happens on one day, climate is what is usual over many years. A cold week in May is weather; mild winters are climate.',
  },
  {
    question: 'Warum schwimmt ein Schiff aus Stahl?',
    answer: 'Weil es samt der Luft darin leichter ist als das Wasser, das es verdrängt.',
  },
  { question: '请用一句话介绍长城。', answer: '长城是中国古代修建的防御工程，全长两万多公里。' },
  {
    question: 'Give me the invoice as JSON.',
    answer:
      '{"number": "2024-0817", "total": 1249.5, "currency": "EUR", "items": [{"name": "lamp", "count": 3}]}',
  },
  {
    question: 'Write a loop in C that sums an array.',
    answer:
      '```c\ndouble sum = 0;\nfor (size_t i = 0; i < n; i++) {\n    sum += values[i];\n}\n```',
  },
  { question: '17 * 23 = ?', answer: '17 * 23 = 17 * 20 + 17 * 3 = 340 + 51 = 391' },
  {
    question: 'List three uses of baking soda.',
    answer:
      '1. **Baking**: it makes dough rise.\n2. **Cleaning**: it removes stains.\n3. **Smells**: an open box in the fridge takes them up.',
  },
  {
    question: '¿Dónde está la estación de tren?',
    answer: 'La estación está a dos calles de aquí, detrás del mercado. ¡Buen viaje!',
  },
  {
    question: 'Describe this image.',
    answer: 'A red circle, a yellow square and a blue triangle on a white background.',
    picture: { gridHw: [8, 8], painting: shapes },
  },
  {
    question: 'What time of day is it in this picture?',
    answer: 'It is night: the moon is up and there are stars above a dark hill.',
    picture: { gridHw: [8, 12], painting: night },
  },
  {
    question: 'What pattern is this?',
    answer: 'A checkerboard of black and white rectangles.',
    picture: { gridHw: [10, 6], painting: checkerboard },
  },
  {
    question: 'Read the text in this picture.',
    answer: 'The lines are too small to be read.',
    picture: { gridHw: [12, 8], painting: page },
  },
  {
    question: 'What is in the picture?',
    answer: 'Sand dunes in low light.',
    picture: { gridHw: [6, 10], painting: dunes },
  },
]

/**
 * Pixels per side of a patch when pictures are hashed: few, because every start does that, but enough to distinguish
 * them.
 */
const hashedPatchSize = 3

/** SHA-256 of all texts and of the pictures, painted small. */
export function calibrationSetHash(): string {
  const hash = createHash('sha256')
  for (const { question, answer, picture } of calibrationSet) {
    hash.update(JSON.stringify([question, answer, picture?.gridHw]))
    if (picture === undefined) continue
    hash.update(paintPatches(picture.gridHw, hashedPatchSize, picture.painting).patches)
  }
  return hash.digest('hex')
}
