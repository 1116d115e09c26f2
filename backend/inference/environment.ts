type Environment = Readonly<Record<string, string | undefined>>

/**
 * What the C library, Node, ONNX Runtime and graphics drivers read; everything else that the inference process needs
 * arrives by message.
 */
const read =
  /^(PATH|HOME|TMPDIR|TZ|LANG|GLIBC_TUNABLES|XDG_CACHE_HOME|XDG_RUNTIME_DIR|(LC|LD|DYLD|MALLOC|NODE|OMP|ORT|CUDA|NVIDIA|VK|MESA|LP|DRI)_.+)$/

/** The part of this program's environment that an inference process gets: no keys or tokens, whatever their names. */
export function inferenceEnvironment(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => read.test(name)))
}
