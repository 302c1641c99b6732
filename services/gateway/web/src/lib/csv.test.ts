import { expect, test } from 'vitest'
import { cell } from './csv'

test('no cell is a formula, and quotes stay quotes', () => {
  expect(cell('=HYPERLINK("x")')).toBe('"\'=HYPERLINK(""x"")"')
  expect(cell('-1')).toBe('"\'-1"')
  expect(cell('a "b", c')).toBe('"a ""b"", c"')
  expect(cell(7)).toBe('"7"')
})
