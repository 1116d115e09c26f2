/**
 * The official builds of ONNX Runtime report models, hardware and errors to their maker over the internet, unless this
 * variable is set before the first session is made (https://github.com/microsoft/onnxruntime/pull/27379). What this
 * server works on stays on its owner's hardware. To be called by every module that makes sessions.
 */
export function forbidTelemetry(): void {
  process.env['ORT_DISABLE_TELEMETRY'] = '1'
}
