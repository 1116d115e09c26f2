/** Tag numbers (TIFF 6.0), under libtiff's names. */
export const tiffTags = {
  width: 256,
  height: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  stripOffsets: 273,
  samplesPerPixel: 277,
  stripByteCounts: 279,
  planarConfiguration: 284,
  colourMap: 320,
  inkSet: 332,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileByteCounts: 325,
  extraSamples: 338,
  sampleFormat: 339,
} as const

/** Supported compressions. */
export const jpegCompression = 7
export const compressions: ReadonlySet<number> = new Set([
  1, // none
  2, // CCITT, run lengths
  3, // fax, group 3
  4, // fax, group 4
  5, // LZW
  jpegCompression,
  8, // deflate
  32773, // PackBits
  32946, // deflate, by its older number
])

/** Names of unsupported compressions. */
export const otherCompressions: ReadonlyMap<number, string> = new Map([
  [6, 'old-style JPEG'],
  [34676, 'SGI LogLuv'],
  [34677, 'SGI LogLuv'],
  [34712, 'JPEG 2000'],
  [34887, 'LERC'],
  [34925, 'LZMA'],
  [50000, 'Zstandard'],
  [50001, 'WebP'],
  [50002, 'JPEG XL'],
  [52546, 'JPEG XL'],
])

/** Numbers of the supported photometric interpretations. */
export const photometric = {
  whiteIsZero: 0,
  blackIsZero: 1,
  rgb: 2,
  palette: 3,
  cmyk: 5,
  ycbcr: 6,
} as const

/** Colour samples per pixel, by photometric interpretation. */
export const coloursOf: ReadonlyMap<number, number> = new Map([
  [photometric.whiteIsZero, 1],
  [photometric.blackIsZero, 1],
  [photometric.rgb, 3],
  [photometric.palette, 1],
  [photometric.cmyk, 4],
  [photometric.ycbcr, 3],
])

/** Names of unsupported interpretations. */
export const otherPhotometrics: ReadonlyMap<number, string> = new Map([
  [4, 'a transparency mask'],
  [8, 'CIE L*a*b* colours'],
  [9, 'ICC L*a*b* colours'],
  [10, 'ITU L*a*b* colours'],
  [32803, 'raw sensor data'],
  [32844, 'logarithmic luminance'],
  [32845, 'logarithmic LUV colours'],
  [34892, 'linear raw sensor data'],
])

export const sampleFormats: ReadonlyMap<number, string> = new Map([
  [2, 'signed'],
  [3, 'floating-point'],
  [5, 'complex'],
  [6, 'complex floating-point'],
])
