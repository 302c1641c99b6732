import { beforeEach, expect, test, vi } from 'vitest'

const kept = new Map<string, string>()
vi.stubGlobal('addEventListener', () => undefined)
vi.stubGlobal('localStorage', { getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, text: string) => kept.set(name, text) })
const { KEYS, keys } = await import('./keys.svelte')

beforeEach(() => keys.reset())

function expectNoneTwice(): void {
  for (const place of ['tagging', 'adjudication']) {
    const there = KEYS.filter((one) => one.place === place || one.place === 'everywhere').map((one) => keys.of(one.name))
    expect(new Set(there).size).toBe(there.length)
  }
}

test('no two things that work in one place have the same key, whatever is changed', () => {
  expectNoneTwice()
  const pressed = KEYS.map((one) => one.key)
  for (let turn = 0; turn < 500; turn += 1) {
    const { name } = KEYS[(turn * 7) % KEYS.length] as (typeof KEYS)[number]
    keys.remap(name, pressed[(turn * 11 + Math.floor(turn / 3)) % pressed.length] as string)
    expectNoneTwice()
  }
})

test('what had the key where both work gets the freed one', () => {
  keys.remap('accept', 'j')
  expect([keys.of('accept'), keys.of('next')]).toEqual(['j', 'a'])
  keys.remap('next', 'b')
  expect([keys.of('next'), keys.of('keepAll')]).toEqual(['b', 'a'])
})

test('one key may do something else elsewhere', () => {
  expect(keys.of('reject')).toBe(keys.of('keepNone'))
  keys.remap('keepNone', 'a')
  expect([keys.of('keepNone'), keys.of('accept'), keys.of('reject')]).toEqual(['a', 'a', 'x'])
})
