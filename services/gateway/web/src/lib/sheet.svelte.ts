/** An open assignment: what the server said last, and the commands that it has not confirmed yet.

Each command shows at once, is saved in order, and is taken back with a message when it is refused. A lost network or
a session that ended only delays: the queue is kept in the browser until it is empty. */
import { call, get, Problem } from '../api/client'
import type { Assignment, Axis, Command, Recommendation } from '../api/types'
import { applied, bare, inverse, keyOf, type Shown } from './decisions'
import { notices } from './notices.svelte'
import { session, signedIn } from './session.svelte'
import { ahead } from './work.svelte'

/** Somebody else decided on the same concept meanwhile. */
export interface Clash {
  command: Command
  theirs: Shown | undefined
}

interface Step {
  commands: Command[]
  back: Command[]
}

const LONGEST_WAIT = 15_000 // milliseconds between tries while the server is away

export class Sheet {
  assignment = $state.raw() as Assignment
  #queue = $state.raw<Command[]>([])
  clash = $state.raw<Clash | null>(null)
  /** Why nothing can be saved at the moment; empty: all is well. */
  away = $state('')
  #done = $state.raw<Step[]>([])
  #undone = $state.raw<Step[]>([])
  #sending: Promise<void> | null = null
  #acting: Promise<void> = Promise.resolve()
  #closed = false
  #heard = 0
  /** Somebody else, or another window, changed it: shown until the next action. */
  changed = $state(false)

  constructor(assignment: Assignment) {
    this.assignment = assignment
    this.#queue = kept(assignment.id)
    this.#send()
  }

  static async open(id: string): Promise<Sheet> {
    return new Sheet(await ahead.take(id))
  }

  readonly decisions: Shown[] = $derived(
    this.#queue.reduce<Shown[]>((decisions, command) => applied(decisions, command), this.assignment.decisions),
  )

  get waiting(): number {
    return this.#queue.length
  }

  /** Its annotator's to change, or its reviewer's while it is reviewed. */
  get editable(): boolean {
    return this.assignment.state === 'open' || this.assignment.state === 'returned' || this.corrects
  }

  /** Whether its reviewer has it before them. */
  get corrects(): boolean {
    return this.assignment.state === 'submitted' && this.assignment.reviewer === session.who?.person
  }

  get canUndo(): boolean {
    return this.#done.length > 0
  }

  get canRedo(): boolean {
    return this.#undone.length > 0
  }

  /** Do commands as one step, which one undo takes back. */
  do(...commands: Command[]): void {
    if (!this.editable || !commands.length) return
    this.changed = false
    let decisions = this.decisions
    const back: Command[] = []
    for (const command of commands) {
      back.unshift(...inverse(decisions, command))
      decisions = applied(decisions, command)
    }
    if (!back.length) return
    this.#done = [...this.#done, { commands, back }]
    this.#undone = []
    this.#put(commands)
  }

  undo(): void {
    const step = this.#done.at(-1)
    if (!step || !this.editable) return
    this.#done = this.#done.slice(0, -1)
    this.#undone = [...this.#undone, step]
    this.#put(step.back)
  }

  redo(): void {
    const step = this.#undone.at(-1)
    if (!step || !this.editable) return
    this.#undone = this.#undone.slice(0, -1)
    this.#done = [...this.#done, step]
    this.#put(step.commands)
  }

  accept(recommendation: Recommendation, assertion = recommendation.assertion): void {
    const shown = bare(recommendation)
    this.do({ kind: 'accept', recommendation: recommendation.id, ...(assertion ? { assertion } : {}), shown })
  }

  /** Resolves when everything is saved; rejects when it cannot be now. */
  async saved(): Promise<void> {
    while (this.#sending) await this.#sending
    if (this.#queue.length) throw new Problem(0, 'Not everything is saved yet.', 'Wait for the network, then try again.')
  }

  /** `noTagOn`: axes on which no tag applies, of those that the project requires. */
  submit(noTagApplies: boolean, noTagOn: readonly Axis[] = []): Promise<void> {
    this.#acting = this.#submit(noTagApplies, noTagOn)
    return this.#acting
  }

  async #submit(noTagApplies: boolean, noTagOn: readonly Axis[]): Promise<void> {
    await this.saved()
    this.assignment = await signedIn(() => this.#post('submit', { no_tag_applies: noTagApplies, no_tag_on: noTagOn }))
    this.#done = this.#undone = []
  }

  /** `reasons`: what has to change, by the key of a tag. */
  async review(verdict: 'approved' | 'returned', comment: string, reasons: Record<string, string> = {}): Promise<void> {
    await this.#acting
    await this.saved()
    const said = Object.entries(reasons).map(([key, text]) => ({ key, text }))
    this.assignment = await signedIn(() => this.#post('review', { verdict, comment, reasons: said }))
    this.#done = this.#undone = []
  }

  /** What is not a decision on a concept: skip, flag, recall, reopen, begin a review. */
  act(action: 'skip' | 'flag' | 'recall' | 'reopen' | 'revert' | 'review/begin', json: unknown = {}): Promise<void> {
    this.#acting = this.#act(action, json)
    return this.#acting
  }

  async #act(action: string, json: unknown): Promise<void> {
    await this.saved()
    this.assignment = await signedIn(() => this.#post(action, json, false))
    this.#done = this.#undone = []
  }

  /** What the server has now; for recommendations that were not ready. */
  async refresh(): Promise<void> {
    const fresh = await signedIn(() => get<Assignment>(this.#path()))
    if (fresh.version >= this.assignment.version) this.assignment = fresh
    this.#send()
  }

  /** Newer recommendations in place of those shown. */
  async newer(): Promise<void> {
    await this.saved()
    this.assignment = await signedIn(() => this.#post('recommendations/refresh', {}))
  }

  /** The server has this version, which may come of another window or person (null: some newer one). What waits here
  meets it when it is sent. */
  async heard(version: number | null): Promise<void> {
    this.#heard = Math.max(this.#heard, version ?? this.assignment.version + 1)
    await this.#acting.catch(() => undefined)
    while (this.#sending) await this.#sending
    const before = this.assignment.version
    if (this.#closed || this.#queue.length || this.#heard <= before) return
    await this.refresh()
    this.#heard = this.assignment.version
    if (this.assignment.version > before) this.changed = true
  }

  /** It shows more than before, at the same version. Whatever waits here is answered with it. */
  async offered(): Promise<void> {
    await this.#acting.catch(() => undefined)
    while (this.#sending) await this.#sending
    if (!this.#closed && !this.#queue.length) await this.refresh()
  }

  /** Answers a clash: with one's own decision, or with theirs. */
  settle(mine: boolean): void {
    const command = this.clash?.command
    this.clash = null
    if (!command) return
    if (!mine) this.#drop()
    this.#send(mine)
  }

  close(): void {
    this.#closed = true
  }

  #path(action = ''): string {
    return `/api/v1/assignments/${encodeURIComponent(this.assignment.id)}${action && `/${action}`}`
  }

  async #post(action: string, json: unknown, match = true): Promise<Assignment> {
    const headers: Record<string, string> = match ? { 'If-Match': `"${this.assignment.version}"` } : {}
    return (await call<Assignment>('POST', this.#path(action), { json, headers })).body
  }

  #put(commands: Command[]): void {
    this.#keep([...this.#queue, ...commands])
    this.#send()
  }

  #keep(queue: Command[]): void {
    this.#queue = queue
    const name = storageName(this.assignment.id)
    if (queue.length) sessionStorage.setItem(name, JSON.stringify(queue))
    else sessionStorage.removeItem(name)
  }

  #drop(): void {
    this.#keep(this.#queue.slice(1))
  }

  #send(insist = false): void {
    if (this.#sending || this.clash) return
    this.#sending = this.#run(insist).finally(() => {
      this.#sending = null
    })
  }

  /** Its annotator has it before them: what is recommended stays as it is shown. Failing does no harm, for the first
  decision says the same. */
  async #open(): Promise<void> {
    const { annotator, recommendations } = this.assignment
    if (!this.editable || annotator !== session.who?.person || recommendations.held || recommendations.hidden) return
    if (!recommendations.items.length) return
    try {
      this.assignment = await signedIn(() => this.#post('open', {}, false))
    } catch (error) {
      if (!(error instanceof Problem)) throw error
    }
  }

  async #run(insist: boolean): Promise<void> {
    await this.#open()
    let wait = 500
    for (let command = this.#queue[0]; command && !this.clash; command = this.#queue[0]) {
      if (this.#closed && this.away) return
      const one = command
      try {
        const answer = await signedIn(() => this.#post(this.corrects ? 'review/decisions' : 'decisions', one, !insist))
        insist = false
        this.away = ''
        wait = 500
        this.assignment = answer
        this.#drop()
      } catch (error) {
        if (error instanceof Problem && error.passing) {
          this.away = error.message
          await new Promise((resolve) => setTimeout(resolve, wait))
          wait = Math.min(wait * 2, LONGEST_WAIT)
        } else if (error instanceof Problem && (error.status === 409 || error.status === 412)) {
          await this.#compare(one, error)
        } else {
          this.#drop()
          notices.fail(error)
        }
      }
    }
  }

  /** The assignment was changed elsewhere: go on where the change does not touch ours, else ask. */
  async #compare(command: Command, problem: Problem): Promise<void> {
    const before = this.assignment
    await this.refresh().catch((error: unknown) => {
      this.away = error instanceof Problem ? error.message : String(error)
    })
    if (this.assignment === before) {
      // The version was right, so it is the command that is refused.
      this.#drop()
      notices.fail(problem)
      return
    }
    if (!this.editable) {
      this.#keep([])
      notices.fail(problem)
      return
    }
    const key = keyOf(command)
    const find = (decisions: readonly Shown[]): Shown | undefined => decisions.find((one) => one.key === key)
    const [was, theirs] = [find(before.decisions), find(this.assignment.decisions)]
    if (was?.kind !== theirs?.kind || was?.reason !== theirs?.reason) this.clash = { command, theirs }
  }
}

const storageName = (id: string): string => `mitagger.queue.${id}`

function kept(id: string): Command[] {
  try {
    return JSON.parse(sessionStorage.getItem(storageName(id)) ?? '[]') as Command[]
  } catch {
    return []
  }
}
