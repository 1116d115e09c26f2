import { describe, expect, it } from 'vitest'
import { namingNodes, nodesOnHost } from './unsupported-nodes.ts'

/** Lines of ONNX Runtime 1.30 about a graph of three nodes. */
const log = [
  'Warning: maxDynamicUniformBuffersPerPipelineLayout artificially reduced',
  '2026-11-30 00:23:30.388 [V:onnxruntime:, session_state.cc:1377 VerifyEachNodeIsAssignedToAnEp] Node placements',
  '2026-11-30 00:23:30.388 [V:onnxruntime:, session_state.cc:1383 VerifyEachNodeIsAssignedToAnEp]  Node(s) placed on [CPUExecutionProvider]. Number of nodes: 1',
  '2026-11-30 00:23:30.388 [V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp]   Det (/layers.3/Det)',
  '2026-11-30 00:23:30.388 [V:onnxruntime:, session_state.cc:1383 VerifyEachNodeIsAssignedToAnEp]  Node(s) placed on [WebGpuExecutionProvider]. Number of nodes: 2',
  '2026-11-30 00:23:30.388 [V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp]   Add (/layers.3/Add)',
  '2026-11-30 00:23:30.388 [V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp]   MemcpyToHost (Memcpy)',
  '2026-11-30 00:23:30.389 [W:onnxruntime:, session_state.cc:1397 VerifyEachNodeIsAssignedToAnEp] Some nodes were not assigned',
].join('\n')

describe('nodes that a card cannot run', () => {
  it('are those that the log places on the CPU', () => {
    expect(nodesOnHost(log)).toEqual(['Det (/layers.3/Det)'])
    expect(nodesOnHost('nothing')).toEqual([])
  })

  it('are not looked for when a session failed for another reason', async () => {
    const error = new Error('Failed to get a WebGPU adapter: No supported adapters')
    expect(await namingNodes(error, new Uint8Array())).toBe(error)
  })
})
