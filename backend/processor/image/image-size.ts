import { maxImagePixels } from '../../../shared/api/limits.ts'
import type { PreprocessorConfig } from '../../model/config/preprocessor-config.ts'
import { ImageProblem } from './image-problem.ts'

/** In pixels. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** @throws {ImageProblem} `image_too_large` above the limit of pixels */
export function checkPixels({ width, height }: Size): void {
  if (width * height <= maxImagePixels) return
  throw new ImageProblem(
    'image_too_large',
    `${width} x ${height} pixels are over the limit of ${maxImagePixels} pixels`,
  )
}

/** What is done to an image before it is cut into patches. */
export interface ImagePlan {
  /** Size to resize to; the image's own if it is not resized. */
  readonly resized: Size
  /** Pixel of the resized image in the top left corner of the first patch. */
  readonly left: number
  readonly top: number
  /** Patches per column and per row. They may extend beyond the image's edge, where everything is black. */
  readonly gridHw: readonly [number, number]
}

type SizeConfig = Pick<PreprocessorConfig, 'inTokenLimit' | 'patchSize' | 'mergeSize' | 'padInput'>

/** Patches per side at which the model's position tables end. */
const sidePatchLimit = 512

/**
 * How an image of this size reaches the model, as in the reference's image processor: scaled down to the token limit,
 * never up; then padded to whole tokens on the right and below, or cropped around its centre to whole patches.
 * @throws {ImageProblem} `image_too_large` when a side exceeds the model's position tables, `unsupported_image` when
 * cropping leaves patches that cannot be merged
 */
export function planImage(size: Size, config: SizeConfig): ImagePlan {
  const resized = limitTokens(size, config)
  const plan = planOf(resized, config)
  const [rows, columns] = plan.gridHw
  if (rows >= sidePatchLimit || columns >= sidePatchLimit) {
    throw new ImageProblem('image_too_large', sideMessage(size, resized, config))
  }
  if (rows * columns === 0 || rows % config.mergeSize !== 0 || columns % config.mergeSize !== 0) {
    throw new ImageProblem(
      'unsupported_image',
      `${size.width} x ${size.height} pixels do not give whole tokens of this model`,
    )
  }
  return plan
}

/**
 * The most tokens that an image becomes: the limit holds before padding, which adds most to long thin images.
 * Sizes a pixel short of one more patch have the largest remainders.
 */
export function mostImageTokens(config: SizeConfig): number {
  const { patchSize, mergeSize } = config
  const longest = (patches: number) => patchSize * (patches + 1) - 1
  let most = 0
  for (let rows = 1; rows < sidePatchLimit; rows += 1) {
    // Width and height are treated alike.
    for (let columns = rows; columns < sidePatchLimit; columns += 1) {
      const size = { width: longest(columns), height: longest(rows) }
      const [high, wide] = planOf(limitTokens(size, config), config).gridHw
      if (Math.max(high, wide) < sidePatchLimit) most = Math.max(most, high * wide)
    }
  }
  return most / mergeSize ** 2
}

function limitTokens(size: Size, { inTokenLimit, patchSize }: SizeConfig): Size {
  const patches = Math.floor(size.width / patchSize) * Math.floor(size.height / patchSize)
  if (patches <= inTokenLimit) return size
  const scale = Math.sqrt(inTokenLimit / patches)
  return { width: Math.trunc(size.width * scale), height: Math.trunc(size.height * scale) }
}

function planOf(resized: Size, config: SizeConfig): ImagePlan {
  return config.padInput ? padded(resized, config) : cropped(resized, config)
}

function padded(resized: Size, { patchSize, mergeSize }: SizeConfig): ImagePlan {
  const wholeTokens = (side: number) => Math.ceil(side / (patchSize * mergeSize)) * mergeSize
  return {
    resized,
    left: 0,
    top: 0,
    gridHw: [wholeTokens(resized.height), wholeTokens(resized.width)],
  }
}

function cropped(resized: Size, { patchSize }: SizeConfig): ImagePlan {
  const wholePatches = (side: number) => Math.floor(side / patchSize)
  return {
    resized,
    left: halfToEven(resized.width % patchSize),
    top: halfToEven(resized.height % patchSize),
    gridHw: [wholePatches(resized.height), wholePatches(resized.width)],
  }
}

/** Half of it, rounding x.5 to the even neighbour, like Python's round(). */
function halfToEven(value: number): number {
  const down = Math.floor(value / 2)
  return value % 2 === 1 && down % 2 === 1 ? down + 1 : down
}

function sideMessage(size: Size, resized: Size, { patchSize, mergeSize }: SizeConfig): string {
  const longest = Math.floor((sidePatchLimit - 1) / mergeSize) * mergeSize * patchSize
  const side = Math.max(resized.width, resized.height)
  const scaled = resized === size ? '' : ' after scaling'
  return `the longer side of ${size.width} x ${size.height} pixels, ${side}${scaled}, is over the limit of ${longest}`
}
