/** Where ONNX Runtime's package keeps the libraries of all platforms. */
const libraries = 'onnxruntime-node/bin/napi-v6'

/** Parts of packages that nothing here loads, although others might. */
const neverLoaded = [
  // Vocabularies of other models, and the module that contains them a second time: `tiktoken/lite` needs neither.
  'tiktoken/encoders',
  'tiktoken/tiktoken_bg.wasm',
]

/** Node does not run TypeScript from packages. */
const forCompilers = /\.(map|ts|mts|cts)$/

/** Folders at the root of a package, its own or one inside another's `node_modules`. */
const forDevelopers =
  /(^|\/node_modules\/)(@[^/]+\/)?[^@/][^/]*\/(tests?|benchmarks?|examples?|docs?|\.github)(\/|$)/

/**
 * Returns a function that says what an archive omits from the installed packages.
 * @param path of a file or folder, relative to `node_modules`
 * @param platform that the archive is for, such as `linux/x64`
 */
export function isLeftOut(path: string, platform: string): boolean {
  return (
    forCompilers.test(path) ||
    forDevelopers.test(path) ||
    neverLoaded.some((part) => isWithin(path, part)) ||
    isOtherPlatform(path, platform)
  )
}

function isOtherPlatform(path: string, platform: string): boolean {
  const isLibrary = isWithin(path, libraries) && path !== libraries
  if (!isLibrary) return false
  const [system, architecture] = path.slice(libraries.length + 1).split('/')
  return !isWithin(platform, architecture === undefined ? system! : `${system}/${architecture}`)
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}
