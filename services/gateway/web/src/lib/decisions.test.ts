import { expect, test } from 'vitest'
import type { Command, Recommendation } from '../api/types'
import { addConcept, applied, inverse, type Shown, stands, textKey } from './decisions'

const liver = {
  id: 'UBERON:0002107|present',
  curie: 'UBERON:0002107',
  label: 'liver',
  ontology: 'UBERON',
  vocabulary_version: '1',
  axis: 'anatomy',
  assertion: 'present',
  match: 'label',
  score: 0.9,
  iri: null,
} as Recommendation
const accept: Command = { kind: 'accept', recommendation: liver.id, shown: liver }
const absent: Command = { ...accept, assertion: 'absent' }
const reject: Command = { kind: 'reject', recommendation: liver.id, reason: 'wrong_meaning', shown: liver }
const add: Command = { kind: 'add', axis: 'imaging', text: 'Light sheet', assertion: 'present' }
const run = (...commands: Command[]): Shown[] => commands.reduce<Shown[]>(applied, [])
const standing = (decisions: Shown[]): string[] => decisions.filter(stands).map((one) => one.key)

test('a recommendation carries one decision', () => {
  expect(standing(run(accept, absent))).toEqual(['UBERON:0002107|absent'])
  expect(standing(run(accept, reject))).toEqual([])
})

test('the same decision twice is one decision', () => {
  expect(run(accept, accept)).toHaveLength(1)
  expect(inverse(run(accept), accept)).toEqual([])
})

test('free text is one in any case and width', () => {
  expect(textKey('Ｌight  SHEET', 'imaging', 'present')).toBe(textKey('light sheet', 'imaging', 'present'))
})

test.each([[[accept]], [[accept, absent]], [[reject, accept]], [[add]], [[accept, reject, absent]]])(
  'undoing brings back what stood before: %#',
  (commands) => {
    const before = run(...commands.slice(0, -1))
    const last = commands.at(-1) as Command
    const after = inverse(before, last).reduce<Shown[]>(applied, applied(before, last))
    const view = (decisions: Shown[]): string[] =>
      decisions.filter((one) => one.kind !== 'withdraw').map((one) => `${one.kind} ${one.key} ${one.reason}`)
    expect(view(after).toSorted()).toEqual(view(before).toSorted())
  },
)

test('a concept of the search becomes a tag with all that names it', () => {
  const concept = { curie: 'GO:1', label: 'x', iri: 'http://x', ontology: 'GO', vocabulary_version: '2', axis: null }
  expect(addConcept({ ...concept, name: 'x', scope: 'label', fit: 'name', parent_labels: [] }, 'genetics')).toMatchObject({ curie: 'GO:1', iri: 'http://x' })
})
