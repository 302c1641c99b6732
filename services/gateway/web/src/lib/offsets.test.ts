import { expect, test } from 'vitest'
import { Offsets } from './offsets'

test('plain text counts alike', () => {
  const offsets = new Offsets('liver')
  expect([0, 3, 5].map((point) => offsets.toUnits(point))).toEqual([0, 3, 5])
  expect(offsets.length).toBe(5)
})

test('an emoji is one code point and two units, a combining mark is a code point of its own', () => {
  const text = '🧠 Ménière 🐁 x'.normalize('NFD')
  const offsets = new Offsets(text)
  const points = [...text]
  expect(offsets.length).toBe(points.length)
  points.forEach((character, point) => {
    expect(text.slice(offsets.toUnits(point), offsets.toUnits(point + 1))).toBe(character)
    expect(offsets.toPoints(offsets.toUnits(point))).toBe(point)
  })
})

test('an offset within a surrogate pair belongs to its code point', () => {
  expect(new Offsets('🧠a').toPoints(1)).toBe(0)
})

test('offsets beyond the text are its end', () => {
  expect(new Offsets('ab').toUnits(99)).toBe(2)
})
