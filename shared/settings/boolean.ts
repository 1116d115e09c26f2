import * as z from 'zod'

/** A boolean, spelled the same way everywhere: `true` or `false`, also `1`, `0`, `yes`, `no`, `on` and `off`. */
export const booleanSetting = z.stringbool({
  truthy: ['true', '1', 'yes', 'on'],
  falsy: ['false', '0', 'no', 'off'],
  error: 'expected true or false (1 and 0, yes and no, on and off work too)',
})
