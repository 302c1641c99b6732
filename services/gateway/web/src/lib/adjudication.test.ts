import { expect, test } from 'vitest'
import type { Compared } from '../api/types'
import { all, answered, applied, as, none, questions } from './adjudication'

const compared = (curie: string, annotators: string[], assertion = 'present', kept: boolean | null = null): Compared =>
  ({ key: `${curie}|${assertion}`, tag: { curie, assertion, label: curie }, annotators, agreed: annotators.length === 2, kept, by: null }) as unknown as Compared

const EYE = compared('U:eye', ['ada'])
const RETINA = compared('U:retina', ['eve'])
const LUNG = compared('U:lung', ['ada', 'eve'], 'present', true)
const LINEAGE = [{ ancestor: 'U:eye', descendant: 'U:retina' }]

test('an ancestor and its descendant are one question, the ancestor first; what all have is none', () => {
  const [one, ...others] = questions([RETINA, LUNG, EYE], LINEAGE)
  expect(others).toEqual([])
  expect([one?.kind, one?.tags.map((tag) => tag.key)]).toEqual(['lineage', ['U:eye|present', 'U:retina|present']])
})

test('whoever has both the ancestor and the descendant meant both', () => {
  expect(questions([compared('U:eye', ['ada']), compared('U:retina', ['ada'])], LINEAGE).map((one) => one.kind)).toEqual(['single', 'single'])
})

test('present for one and absent for the other is one question', () => {
  const [one] = questions([compared('U:eye', ['ada']), compared('U:eye', ['eve'], 'absent')], [])
  expect([one?.kind, one?.tags.length]).toEqual(['assertion', 2])
})

test('one key answers a question as one of them has it, with all, or with none', () => {
  const [one] = questions([EYE, RETINA], LINEAGE)
  if (!one) throw new Error('no question')
  expect(as(one, 'ada')).toEqual({ keep: ['U:eye|present'], drop: ['U:retina|present'] })
  expect(as(one, 'eve')).toEqual({ keep: ['U:retina|present'], drop: ['U:eye|present'] })
  expect([all(one).keep.length, none(one).drop.length]).toEqual([2, 2])
  const [single] = questions([EYE], [])
  if (!single) throw new Error('no question')
  expect(as(single, 'eve')).toEqual({ keep: [], drop: ['U:eye|present'] })
  expect(answered(single)).toBe(false)
  expect(questions(applied([EYE], as(single, 'eve')), []).every(answered)).toBe(true)
})
