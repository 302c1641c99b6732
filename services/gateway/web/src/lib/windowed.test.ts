import { expect, test } from 'vitest'
import { inSight, moved } from './windowed'

const CELL = { width: 300, height: 100 }

test('what is in sight has the size of the window, however many there are', () => {
  expect(inSight(100_000, { width: 950, height: 600, top: 0 }, CELL)).toEqual({ columns: 3, from: 0, to: 36 })
  expect(inSight(100_000, { width: 950, height: 600, top: 1_000_000 }, CELL)).toEqual({ columns: 3, from: 29_991, to: 30_027 })
  expect(inSight(5, { width: 200, height: 600, top: 0 }, CELL)).toEqual({ columns: 1, from: 0, to: 5 })
  expect(inSight(0, { width: 900, height: 600, top: 0 }, CELL)).toEqual({ columns: 3, from: 0, to: 0 })
})

test('keys move by cell, row, page, and to the ends', () => {
  expect(moved('ArrowRight', 0, 10, 3, 2)).toBe(1)
  expect(moved('ArrowDown', 1, 10, 3, 2)).toBe(4)
  expect(moved('ArrowDown', 8, 10, 3, 2)).toBe(8)
  expect(moved('ArrowUp', 2, 10, 3, 2)).toBe(2)
  expect(moved('PageDown', 0, 10, 3, 2)).toBe(6)
  expect(moved('End', 0, 10, 3, 2)).toBe(9)
  expect(moved('Home', 9, 10, 3, 2)).toBe(0)
  expect(moved('x', 9, 10, 3, 2)).toBeNull()
})
