import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import { checkFilesPresent, checkModelFolder } from './check-model-folder.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'check-folder-'))
  await cp('models/kimi-vl-nano/config.json', join(folder, 'config.json'))
})
afterEach(() => rm(folder, { recursive: true }))

const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 1\n`

describe('checkModelFolder()', () => {
  it('accepts the folder of a Kimi-VL', async () => {
    await expect(checkModelFolder(folder)).resolves.toBeUndefined()
  })

  it.each([
    ['/nowhere/at/all', /^there is no folder \/nowhere\/at\/all$/],
    ['README.md', /^README.md is not a folder$/],
    ['docs', /^docs is not a model folder: it has no config.json$/],
  ])('refuses %s', async (name, message) => {
    await expect(checkModelFolder(name)).rejects.toThrow(message)
  })

  it('names the model of another architecture, and nothing else of its configuration', async () => {
    await writeFile(join(folder, 'config.json'), '{"model_type":"qwen2_5_vl"}')
    await expect(checkModelFolder(folder)).rejects.toThrow(
      /^config.json is of a qwen2_5_vl model; only kimi_vl works$/,
    )
  })

  it.each([
    [
      'Qwen2-VL',
      'qwen2_vl',
      'Qwen2VLForConditionalGeneration',
      ' (Qwen2VLForConditionalGeneration)',
    ],
    ['Llama', 'llama', 'LlamaForCausalLM', ' (LlamaForCausalLM)'],
    ['Kimi-K2', 'kimi_k2', 'DeepseekV3ForCausalLM', ' (DeepseekV3ForCausalLM; Kimi-K2, text only)'],
    [
      'Moonlight',
      'deepseek_v3',
      'DeepseekV3ForCausalLM',
      ' (DeepseekV3ForCausalLM; text only, as in Moonlight and DeepSeek-V3)',
    ],
    ['Kimi-K2.5', 'kimi_k25', undefined, ' (Kimi-K2.5 or later)'],
  ])('says that it is %s', async (_name, model_type, architecture, which) => {
    const architectures = architecture === undefined ? undefined : [architecture]
    await writeFile(join(folder, 'config.json'), JSON.stringify({ model_type, architectures }))
    await expect(checkModelFolder(folder)).rejects.toThrow(
      new CheckpointError(`config.json is of a ${model_type} model${which}; only kimi_vl works`),
    )
  })

  it.each([
    [{ quantization_config: { quant_method: 'compressed-tensors' } }, 'compressed-tensors'],
    [{ quantization: { group_size: 64, bits: 8 } }, 'MLX'],
  ])('refuses weights in another form: %j', async (fields, method) => {
    const file = join(folder, 'config.json')
    const config = JSON.parse(await readFile(file, 'utf8')) as object
    await writeFile(file, JSON.stringify({ ...config, ...fields }))
    await expect(checkModelFolder(folder)).rejects.toThrow(
      new CheckpointError(
        `config.json is of a Kimi-VL that was quantised with ${method}; only its original form works`,
      ),
    )
  })

  it('says that a folder holds an adapter, and for what', async () => {
    await rm(join(folder, 'config.json'))
    const adapter = {
      peft_type: 'LORA',
      base_model_name_or_path: 'moonshotai/Kimi-VL-A3B-Instruct',
    }
    await writeFile(join(folder, 'adapter_config.json'), JSON.stringify(adapter))
    await expect(checkModelFolder(folder)).rejects.toThrow(
      new CheckpointError(
        `${folder} holds an adapter for moonshotai/Kimi-VL-A3B-Instruct, not a model: merge the two, and set MODEL_PATH to the merged model`,
      ),
    )
  })

  it('says that a folder or a file is in the form of llama.cpp', async () => {
    await rm(join(folder, 'config.json'))
    const file = join(folder, 'Kimi-VL-Q8_0.gguf')
    await writeFile(file, 'GGUF')
    await expect(checkModelFolder(folder)).rejects.toThrow(
      `${folder} holds Kimi-VL-Q8_0.gguf, a model in llama.cpp's format; only the original format works`,
    )
    await expect(checkModelFolder(file)).rejects.toThrow(
      `${file} is a GGUF file; only the original form works, which is a folder`,
    )
  })

  it('names every field at fault', async () => {
    const file = join(folder, 'config.json')
    const config = JSON.parse(await readFile(file, 'utf8')) as { text_config: object }
    const text = { ...config.text_config, n_group: 8, hidden_size: 'wide' }
    await writeFile(file, JSON.stringify({ ...config, text_config: text }))
    await expect(checkModelFolder(folder)).rejects.toThrow(/hidden_size: .*; .*n_group: /)
  })

  it.each([
    ['is no JSON', 'hello', 'is not valid JSON: download or copy it again'],
    ['is empty', '', 'is not valid JSON, but empty: download'],
    ['is cut off', '{"model_type":', 'is not valid JSON: download'],
    [
      'has a byte order mark',
      '\uFEFF{}',
      'is not valid JSON, because it begins with a byte order mark: download',
    ],
    [
      'is not UTF-8',
      Buffer.from('{}', 'utf16le').fill(0xff, 0, 1),
      'is not valid JSON, because it is not UTF-8: ',
    ],
    ['is a list', '[1]', 'content: Invalid input: expected object, received array. Put the file'],
  ])('names file and remedy when config.json %s', async (_how, content, problem) => {
    const file = join(folder, 'config.json')
    await writeFile(file, content)
    await expect(checkModelFolder(folder)).rejects.toThrow(`${file}: ${problem}`)
  })

  it('names file and remedy when config.json is a folder', async () => {
    const file = join(folder, 'config.json')
    await rm(file)
    await mkdir(file)
    await expect(checkModelFolder(folder)).rejects.toThrow(
      `${file}: cannot be read (EISDIR): download or copy it again`,
    )
  })

  it('recognises a Git LFS pointer', async () => {
    await writeFile(join(folder, 'config.json'), pointer)
    await expect(checkModelFolder(folder)).rejects.toThrow('config.json is a Git LFS pointer')
  })
})

describe('checkFilesPresent()', () => {
  const required = ['config.json', 'preprocessor_config.json', 'tiktoken.model']

  it('names everything that a folder lacks', async () => {
    await expect(checkFilesPresent(folder, required)).rejects.toThrow(
      'the folder lacks preprocessor_config.json, tiktoken.model: download or copy all files of the model',
    )
  })

  it('finds everything in the folder of a model', async () => {
    await expect(checkFilesPresent('models/kimi-vl-nano', required)).resolves.toBeUndefined()
  })
})
