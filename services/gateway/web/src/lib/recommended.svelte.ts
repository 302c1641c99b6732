/** What is recommended on the open figure, by axis: which one is before the annotator, and what they say of it. */
import type { Assertion, Axis, Command, Recommendation, RejectReason } from '../api/types'
import { AXES } from './axes'
import { bare, decisionOn, type Shown } from './decisions'
import { keys } from './keys.svelte'
import { notices } from './notices.svelte'
import { REASONS } from './reasons'
import type { Sheet } from './sheet.svelte'

/** Recommendations shown at first, over all axes; more on demand. */
const FEW = 40
/** From this score on an axis can be accepted at once. */
const SURE = 0.8
const TURNS: Record<Assertion, Assertion> = { present: 'uncertain', uncertain: 'absent', absent: 'present' }

export class Recommended {
  /** The only one that is shown; null: all are. */
  axis = $state<Axis | null>(null)
  /** The id of the one before the annotator. */
  current = $state<string | null>(null)
  /** The id of the one that was just rejected: a digit says why. */
  asking = $state<string | null>(null)
  /** Also those that are less sure. */
  all = $state(false)
  readonly #sheet: () => Sheet | null
  readonly #editable: () => boolean

  /** Of the sheet that is open, once it is, as long as it may be changed. */
  constructor(sheet: () => Sheet | null, editable: () => boolean) {
    this.#sheet = sheet
    this.#editable = editable
  }

  readonly items = $derived.by(() => this.#sheet()?.assignment.recommendations.items ?? [])

  readonly marks = $derived.by(() => {
    const decisions = this.#sheet()?.decisions ?? []
    const found = this.items.map((one) => [one.id, decisionOn(decisions, one.id)] as const)
    return new Map(found.filter((one): one is readonly [string, Shown] => one[1] !== undefined))
  })

  /** The kind of decision, by recommendation. */
  readonly decided = $derived(new Map([...this.marks].map(([id, found]) => [id, found.kind])))

  readonly groups = $derived.by(() => {
    const ranked = [...this.items].sort((a, b) => b.score - a.score)
    const few = this.all ? ranked : ranked.filter((one, i) => i < FEW || this.marks.has(one.id))
    return AXES.map((known) => {
      const whole = ranked.filter((one) => one.axis === known.id)
      return {
        ...known,
        items: few.filter((one) => one.axis === known.id),
        undecided: whole.filter((one) => !this.marks.has(one.id)).length,
        sure: whole.filter((one) => !this.marks.has(one.id) && one.score >= SURE),
        total: whole.length,
      }
    })
  })

  readonly visible = $derived(
    this.groups.filter((group) => (this.axis === null || group.id === this.axis) && group.items.length),
  )
  readonly shown = $derived(this.visible.flatMap((group) => group.items))
  /** How many are not shown, being less sure. */
  readonly left = $derived(this.items.length - this.groups.reduce((sum, group) => sum + group.items.length, 0))

  get on(): Recommendation | undefined {
    return this.shown.find((one) => one.id === this.current)
  }

  /** The first one that asks for a decision. */
  get first(): Recommendation | undefined {
    return this.shown.find((one) => !this.marks.has(one.id)) ?? this.shown[0]
  }

  focus(id: string, move = true): void {
    if (this.current !== id) this.asking = null
    this.current = id
    if (move)
      requestAnimationFrame(() => {
        const row = document.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"]`)
        // Who began to type meanwhile keeps the focus.
        if (document.activeElement?.tagName !== 'INPUT') row?.focus({ preventScroll: true })
        row?.scrollIntoView({ block: 'nearest' })
      })
  }

  /** The first undecided one, after what is shown has changed. */
  begin(): void {
    if (this.first) this.focus(this.first.id)
  }

  /** From a mention in the legend: its recommendation may be hidden by the axis or beyond the few. */
  choose(id: string): void {
    if (!this.shown.some((one) => one.id === id)) {
      this.axis = null
      this.all = true
    }
    this.focus(id)
  }

  step(by: number): void {
    const index = this.shown.findIndex((one) => one.id === this.current)
    const next = this.shown[index < 0 ? 0 : Math.max(0, Math.min(this.shown.length - 1, index + by))]
    if (next) this.focus(next.id)
  }

  accept(one: Recommendation | undefined): void {
    if (!one || !this.#editable()) return
    this.#sheet()?.accept(one)
    this.asking = null
    if (one.id === this.current) this.#onwards()
  }

  reject(one: Recommendation | undefined, reason?: RejectReason): void {
    if (!one || !this.#editable()) return
    this.#sheet()?.do({ kind: 'reject', recommendation: one.id, ...(reason ? { reason } : {}), shown: bare(one) })
    this.focus(one.id)
    this.asking = reason ? null : one.id
    if (reason) this.#onwards()
  }

  clear(one: Recommendation): void {
    const found = this.marks.get(one.id)
    this.asking = null
    if (found) this.#sheet()?.do({ kind: 'withdraw', key: found.key })
  }

  assert(one: Recommendation | undefined): void {
    if (!one || !this.#editable()) return
    this.#sheet()?.accept(one, TURNS[this.assertionOf(one)])
  }

  /** As decided; undecided: as recommended. */
  assertionOf(one: Recommendation): Assertion {
    const found = this.marks.get(one.id)
    return found?.kind === 'accept' ? (found.tag.assertion ?? 'present') : (one.assertion ?? 'present')
  }

  /** Accepts what is sure on the axis that is shown, else on that of the one before the annotator. */
  bulk(of = this.axis ?? this.on?.axis): void {
    const group = this.groups.find((one) => one.id === of)
    if (!group?.sure.length || !this.#editable()) return
    this.#sheet()?.do(
      ...group.sure.map(
        (one): Command => ({
          kind: 'accept',
          recommendation: one.id,
          ...(one.assertion ? { assertion: one.assertion } : {}),
          shown: bare(one),
          bulk: true,
        }),
      ),
    )
    notices.say(`${group.sure.length} accepted in ${group.name}. ${keys.of('undo')} takes it back.`)
    this.#onwards()
  }

  /** A reason, where one is asked for; else an axis, by its number (0: all). */
  digit(index: number): void {
    if (this.asking !== null) {
      const reason = REASONS[index - 1]
      const one = this.shown.find((known) => known.id === this.asking)
      if (reason && one) this.reject(one, reason.id)
      return
    }
    this.turn(index === 0 ? null : (AXES[index - 1]?.id ?? null))
  }

  /** Shows an axis alone; all again, where it is. */
  turn(axis: Axis | null): void {
    this.asking = null
    this.axis = this.axis === axis ? null : axis
    this.begin()
  }

  /** After a decision: the next undecided one. */
  #onwards(): void {
    const index = this.shown.findIndex((one) => one.id === this.current)
    const next = [...this.shown.slice(index + 1), ...this.shown.slice(0, index)].find((one) => !this.marks.has(one.id))
    if (next) this.focus(next.id)
  }
}
