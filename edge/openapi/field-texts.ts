/** What the fields of a question mean, in the words of docs/api.md; a test compares them. */
export const fieldTexts: Readonly<Record<string, string>> = {
  prompt: 'the question',
  system_prompt: 'instructions for the answer',
  max_tokens: 'maximum tokens of each answer; the context may end it earlier',
  temperature:
    '0 always takes the most likely token; then `top_k`, `top_p`, `min_p` and `seed` have no effect',
  top_k: 'draws from this many of the most likely tokens; 0 is off',
  top_p: 'draws from the fewest most likely tokens whose probabilities add up to this; 1 is off',
  min_p: 'draws only from tokens at least this fraction as likely as the most likely one; 0 is off',
  repetition_penalty:
    'divides positive logits of tokens in prompt or answer, multiplies negative ones',
  presence_penalty: 'subtracted from the logits of tokens that occur in the answer',
  frequency_penalty: 'subtracted once for each occurrence of the token in the answer',
  logit_bias: 'added to the logits of these tokens',
  seed: 'the same request with the same seed draws the same way; where two tokens are almost equally likely the answer may still differ, unless the server runs with `DETERMINISTIC=1`',
  preset:
    "`model` uses the sampling settings recommended by the model's authors where the request does not set its own; see below",
  n: 'number of answers',
  stop: 'the answer ends just before it',
  logprobs: 'reports the probability of each token of the answer',
  top_logprobs: 'also reports this many of the most likely tokens at its position',
  response_format: 'restricts the answer to JSON, or to a JSON schema',
  stream: 'sends the answer as it is generated',
  timeout_ms:
    "after this time the answer ends with what it has; the server's own deadline may come first",
  priority: 'batch requests wait for interactive ones, and leave a slot free for them',
}
