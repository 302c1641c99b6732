/** A figure that several people tagged, open before an adjudicator: what is asked, which question is before them, and what
they answer. Each answer shows at once, and is taken back with a message where it is refused. */
import { tick } from 'svelte'
import { call, get, Problem } from '../api/client'
import type { Adjudication, Compared, Lineage, Page } from '../api/types'
import { type Answer, answered, applied, type Question, questions } from './adjudication'
import { Loaded } from './loaded.svelte'
import { notices } from './notices.svelte'
import { signedIn } from './session.svelte'

const LETTERS = 'ABCDEFGHI'
const MOST = 100 // concepts whose lineage is asked at once
const LOOK_AGAIN = 20 // milliseconds

export class Settling {
  /** The one that is open, by its id; null: none is. */
  figure = $state<string | null>(null)
  /** The question before the adjudicator, by its place. */
  current = $state(0)
  busy = $state(false)
  readonly #open = new Loaded<Adjudication>()
  #lineage = $state.raw<Lineage[]>([])
  /** Answers on their way. */
  #sent = $state.raw<Answer[]>([])
  #closed = false

  readonly there = $derived.by(() => (this.#open.value?.figure.id === this.figure ? this.#open.value : null))
  readonly tags = $derived.by(() => this.#sent.reduce<Compared[]>(applied, this.there?.tags ?? []))
  readonly asked = $derived.by(() => questions(this.tags, this.#lineage))
  readonly agreed = $derived(this.tags.filter((one) => one.agreed))
  readonly annotators = $derived(this.there?.assignments.map((one) => one.annotator) ?? [])
  readonly left = $derived(this.asked.filter((one) => !answered(one)).length)

  get problem(): Problem | null {
    return this.#open.problem
  }

  /** What an annotator is called here: nobody's name. */
  letter(annotator: string): string {
    return LETTERS[this.annotators.indexOf(annotator)] ?? '?'
  }

  async look(id: string): Promise<void> {
    this.figure = id
    this.#sent = []
    this.current = 0
    await this.#open.ask(async () => {
      const found = await get<Adjudication>(path(id))
      const curies = [...new Set(found.tags.filter((one) => !one.agreed).flatMap((one) => one.tag.curie ?? []))]
      const asking = curies.slice(0, MOST).map((curie) => `curie=${encodeURIComponent(curie)}`)
      // Without vocabularies the questions stand one by one.
      this.#lineage = asking.length > 1 ? await get<Page<Lineage>>(`/api/v1/concepts/lineage?${asking.join('&')}`).then((page) => page.items, () => []) : []
      return found
    })
    if (this.#closed || this.figure !== id) return
    this.current = Math.max(0, this.asked.findIndex((one) => !answered(one)))
  }

  /** To the question before the adjudicator. */
  reply(say: (question: Question) => Answer): void {
    const question = this.asked[this.current]
    if (question) void this.answer(say(question))
  }

  async answer(given: Answer): Promise<void> {
    const id = this.figure
    if (!this.there?.waiting || !this.asked[this.current] || id === null) return
    const pressed = document.activeElement?.closest('.answers')
    this.#sent = [...this.#sent, given]
    this.#onwards()
    // The button that was pressed goes with the question: the next one's takes its place.
    if (pressed) {
      const next = this.left ? '.question.current .answers button' : 'footer .primary'
      void tick().then(() => document.querySelector<HTMLElement>(next)?.focus())
    }
    try {
      const { body } = await signedIn(() => call<Adjudication>('POST', path(id, '/choices'), { json: given }))
      if (this.figure === id) this.#open.value = body
    } catch (error) {
      notices.fail(error)
    } finally {
      this.#sent = this.#sent.filter((one) => one !== given)
    }
  }

  focus(place: number): void {
    this.current = Math.max(0, Math.min(this.asked.length - 1, place))
    requestAnimationFrame(() => document.querySelector('.question.current')?.scrollIntoView({ block: 'nearest' }))
  }

  /** As `focus`, with the keyboard on its answers. */
  turn(place: number): void {
    this.focus(place)
    void tick().then(() => document.querySelector<HTMLElement>('.question.current .answers button')?.focus())
  }

  /** Makes what was kept final, unless a difference is open, which is said. `then` follows it. */
  async settle(then: () => Promise<void>): Promise<void> {
    const id = this.figure
    if (!this.there?.waiting || id === null || this.busy) return
    if (this.left > 0) {
      this.#onwards()
      notices.say(this.left === 1 ? 'One difference is left.' : `${this.left} differences are left.`)
      return
    }
    this.busy = true
    try {
      while (this.#sent.length) await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN))
      await signedIn(() => call('POST', path(id)))
      notices.say('Settled: what was kept is final.')
      if (!this.#closed && this.figure === id) await then()
    } catch (error) {
      notices.fail(error)
      if (error instanceof Problem && error.status === 409 && !this.#closed && this.figure === id) await this.look(id)
    } finally {
      this.busy = false
    }
  }

  /** Nobody looks at it any more. */
  close(): void {
    this.#closed = true
  }

  #onwards(): void {
    const { asked, current } = this
    const next = [...asked.keys()].map((step) => (current + 1 + step) % asked.length).find((place) => asked[place] && !answered(asked[place]))
    if (next !== undefined) this.focus(next)
  }
}

const path = (id: string, action = ''): string => `/api/v1/figures/${encodeURIComponent(id)}/adjudication${action}`
