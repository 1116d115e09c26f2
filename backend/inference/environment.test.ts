import { expect, it } from 'vitest'
import { inferenceEnvironment } from './environment.ts'

it('hands on what libraries read, and nothing that may be secret', () => {
  const libraries = {
    PATH: '/bin',
    LD_LIBRARY_PATH: '/opt/lib',
    GLIBC_TUNABLES: 'glibc.malloc.hugetlb=0',
    NODE_COMPILE_CACHE: '/cache',
    CUDA_VISIBLE_DEVICES: '1',
    VK_DRIVER_FILES: '/opt/icd.json',
    XDG_CACHE_HOME: '/state/cache',
    XDG_RUNTIME_DIR: '/run/user/1',
  }
  const own = { API_KEY: 'a', HF_TOKEN: 'b', TLS_KEY: 'c', MY_PATH: 'd', STATE_DIR: 'e' }
  expect(inferenceEnvironment({ ...libraries, ...own })).toEqual(libraries)
})
