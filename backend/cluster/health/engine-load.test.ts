import { describe, expect, it } from 'vitest'
import { readLoad } from './engine-load.ts'

describe('readLoad()', () => {
  it('adds up the workers of vLLM, and takes no metric whose name only begins alike', () => {
    const metrics = [
      '# HELP vllm:num_requests_running Number of requests in model execution batches.',
      '# TYPE vllm:num_requests_running gauge',
      'vllm:num_requests_running{engine="0",model_name="a b} c"} 3.0',
      'vllm:num_requests_running{engine="1",model_name="a b} c"} 4.0',
      'vllm:num_requests_waiting{engine="0",model_name="m"} 2.0',
      'vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 50.0',
    ]
    expect(readLoad('vllm', metrics.join('\n'))).toEqual({ running: 7, waiting: 2 })
  })

  it('reads SGLang and llama-server', () => {
    const sglang =
      'sglang:num_running_reqs{model_name="m"} 1e+01\nsglang:num_queue_reqs{model_name="m"} 0.0 1700000000\n'
    expect(readLoad('sglang', sglang)).toEqual({ running: 10, waiting: 0 })
    const llama = 'llamacpp:requests_processing 1\r\nllamacpp:requests_deferred 4\r\n'
    expect(readLoad('llama-server', llama)).toEqual({ running: 1, waiting: 4 })
  })

  it('knows nothing of an engine that does not report it', () => {
    expect(readLoad('sglang', '')).toBeUndefined()
    expect(
      readLoad('vllm', 'vllm:num_requests_running NaN\nvllm:num_requests_waiting 1\n'),
    ).toBeUndefined()
    expect(readLoad('other', 'vllm:num_requests_running 1\n')).toBeUndefined()
  })
})
