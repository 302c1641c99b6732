import { expect, test } from 'vitest'
import type { Recommendation } from '../api/types'
import { pieces } from './legend'

const of = (id: string, ...spans: [number, number][]): Recommendation =>
  ({ id, spans: spans.map(([start, end]) => ({ start, end, text: '' })) }) as unknown as Recommendation

test('a legend without mentions is one piece', () => {
  expect(pieces('Scale bar.', [])).toEqual([{ text: 'Scale bar.', ids: [] }])
})

test('overlapping mentions keep both ids, the shorter first', () => {
  const found = pieces('left frontal lobe', [of('lobe', [5, 17]), of('frontal', [5, 12])])
  expect(found).toEqual([
    { text: 'left ', ids: [] },
    { text: 'frontal', ids: ['frontal', 'lobe'] },
    { text: ' lobe', ids: ['lobe'] },
  ])
})

test('offsets are code points', () => {
  const found = pieces('🧠🧠 brain', [of('brain', [3, 8])])
  expect(found.at(-1)).toEqual({ text: 'brain', ids: ['brain'] })
})

test('nothing of the text is lost, whatever the mentions', () => {
  const legend = 'a𝔟c d🧬e'
  const found = pieces(legend, [of('x', [0, 3], [2, 6]), of('y', [5, 99]), of('z', [4, 4])])
  expect(found.map((piece) => piece.text).join('')).toBe(legend)
})
