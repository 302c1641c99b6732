/** What commands make of the decisions of an assignment, before the server has answered. Pure.

The server's rules (services/annotation/tagging.py) decide; this shows at once what they will say. */
import type { Assertion, Axis, Command, Concept, Decision, Recommendation, Tag } from '../api/types'

export type Shown = Pick<Decision, 'key' | 'kind' | 'recommendation' | 'reason' | 'tag'> & Partial<Pick<Decision, 'by'>>

export const conceptKey = (curie: string, assertion: Assertion): string => `${curie}|${assertion}`

/** As the server folds free text, but for letters whose full case folding is longer than themselves. */
export const textKey = (text: string, axis: Axis, assertion: Assertion): string =>
  `text/${axis}/${text.normalize('NFKC').toLowerCase().normalize('NFKC').split(/\s+/).filter(Boolean).join(' ')}|${assertion}`

export const stands = (decision: Shown): boolean => decision.kind === 'accept' || decision.kind === 'add'

/** The decision on a recommendation, if there is one. */
export const decisionOn = (decisions: readonly Shown[], recommendation: string): Shown | undefined =>
  decisions.find((one) => one.recommendation === recommendation && one.kind !== 'withdraw')

export function keyOf(command: Command): string | null {
  switch (command.kind) {
    case 'accept':
      return command.shown
        ? conceptKey(command.shown.curie, command.assertion ?? command.shown.assertion ?? 'present')
        : null
    case 'reject':
      return command.shown ? conceptKey(command.shown.curie, command.shown.assertion ?? 'present') : null
    case 'add':
      return command.curie
        ? conceptKey(command.curie, command.assertion ?? 'present')
        : textKey(command.text ?? '', command.axis, command.assertion ?? 'present')
    case 'withdraw':
      return command.key
  }
}

/** The decisions after a command. */
export function applied(decisions: readonly Shown[], command: Command): Shown[] {
  const key = keyOf(command)
  if (key === null) return [...decisions]
  if (command.kind === 'withdraw') {
    return decisions.map((one) => (one.key === key ? { ...one, kind: 'withdraw', reason: null } : one))
  }
  const made: Shown =
    command.kind === 'add'
      ? { key, kind: 'add', recommendation: null, reason: null, tag: tagOf(key, command) }
      : {
          key,
          kind: command.kind,
          recommendation: command.recommendation,
          reason: command.kind === 'reject' ? (command.reason ?? null) : null,
          tag: {
            ...tagFrom(key, command.shown as Recommendation, command.kind === 'accept' ? command.assertion : null),
            bulk: command.kind === 'accept' && (command.bulk ?? false),
          },
        }
  const others = decisions
    .filter((one) => one.key !== key)
    .map((one): Shown =>
      made.recommendation !== null && one.recommendation === made.recommendation && one.kind !== 'withdraw'
        ? { ...one, kind: 'withdraw', reason: null }
        : one,
    )
  return [...others, made]
}

/** Commands that bring the decisions back to what they were before a command. */
export function inverse(before: readonly Shown[], command: Command): Command[] {
  const after = applied(before, command)
  const back: Command[] = []
  for (const now of after) {
    const was = before.find((one) => one.key === now.key)
    if (was && was.kind === now.kind && was.reason === now.reason && was.recommendation === now.recommendation) continue
    if (was && was.kind !== 'withdraw') back.push(again(was))
    else if (now.kind !== 'withdraw') back.unshift({ kind: 'withdraw', key: now.key })
  }
  return back
}

/** The command that makes a decision stand again. */
function again(decision: Shown): Command {
  const { tag } = decision
  if (decision.recommendation !== null && decision.kind !== 'add') {
    const shown = { ...recommendationFrom(decision) }
    return decision.kind === 'accept'
      ? {
          kind: 'accept',
          recommendation: decision.recommendation,
          assertion: tag.assertion ?? 'present',
          panels: tag.panels ?? [],
          spans: tag.spans ?? [],
          shown,
          bulk: tag.bulk ?? false,
        }
      : { kind: 'reject', recommendation: decision.recommendation, reason: decision.reason, shown }
  }
  const common = {
    kind: 'add' as const,
    axis: tag.axis,
    assertion: tag.assertion ?? 'present',
    panels: tag.panels ?? [],
    spans: tag.spans ?? [],
  }
  return tag.curie
    ? {
        ...common,
        curie: tag.curie,
        label: tag.label,
        iri: tag.iri ?? null,
        ontology: tag.ontology ?? null,
        vocabulary_version: tag.vocabulary_version ?? null,
      }
    : { ...common, text: tag.label }
}

/** A recommendation as the command carries it, without the decision that the page shows with it. */
export function bare(recommendation: Recommendation): Recommendation {
  const { decision: _, ...rest } = recommendation
  return rest as Recommendation
}

export function addConcept(concept: Concept, axis: Axis, spans: Tag['spans'] = []): Command {
  return {
    kind: 'add',
    axis,
    curie: concept.curie,
    label: concept.label,
    iri: concept.iri,
    ontology: concept.ontology,
    vocabulary_version: concept.vocabulary_version,
    assertion: 'present',
    ...(spans?.length ? { spans } : {}),
  }
}

function recommendationFrom({ tag, recommendation }: Shown): Recommendation {
  return {
    id: recommendation as string,
    iri: tag.iri ?? null,
    curie: tag.curie as string,
    label: tag.label,
    ontology: tag.ontology as string,
    vocabulary_version: tag.vocabulary_version as string,
    axis: tag.axis,
    assertion: ((recommendation as string).split('|').at(-1) ?? 'present') as Assertion,
    panels: tag.panels ?? [],
    spans: tag.spans ?? [],
    match: 'label',
    score: tag.score ?? 0,
    why: '',
    equivalents: [],
  }
}

function tagFrom(key: string, shown: Recommendation, assertion: Assertion | null | undefined): Tag {
  return {
    key,
    axis: shown.axis,
    iri: shown.iri,
    curie: shown.curie,
    label: shown.label,
    ontology: shown.ontology,
    vocabulary_version: shown.vocabulary_version,
    assertion: assertion ?? shown.assertion ?? 'present',
    panels: shown.panels ?? [],
    spans: shown.spans ?? [],
    source: 'recommendation',
    score: shown.score,
    bulk: false,
    annotator: '',
    decided_at: new Date().toISOString(),
  }
}

function tagOf(key: string, command: Extract<Command, { kind: 'add' }>): Tag {
  return {
    key,
    axis: command.axis,
    iri: command.iri ?? null,
    curie: command.curie ?? null,
    label: command.label ?? command.text ?? command.curie ?? '',
    ontology: command.ontology ?? null,
    vocabulary_version: command.vocabulary_version ?? null,
    assertion: command.assertion ?? 'present',
    panels: command.panels ?? [],
    spans: (command.spans ?? []).map((span) => ({ ...span, text: span.text ?? '' })),
    source: command.curie ? 'search' : 'free_text',
    score: null,
    bulk: false,
    annotator: '',
    decided_at: new Date().toISOString(),
  }
}
