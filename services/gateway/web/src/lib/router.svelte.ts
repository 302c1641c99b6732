/** Where we are: a path and its query, kept in the browser's history. */

const PROJECT = 'project'

class Router {
  path = $state(location.pathname)
  query = $state(new URLSearchParams(location.search))
  /** The project that the address names; '': none. It stays from page to page. */
  project = $derived(this.query.get(PROJECT) ?? '')

  constructor() {
    addEventListener('popstate', () => this.#read())
    document.addEventListener('click', (event) => this.#follow(event))
  }

  go(to: string, options: { replace?: boolean; project?: string } = {}): void {
    const next = new URL(to, location.origin)
    const project = options.project ?? (next.searchParams.get(PROJECT) || this.project)
    if (project) next.searchParams.set(PROJECT, project)
    const address = next.pathname + next.search + next.hash
    if (options.replace) history.replaceState(null, '', address)
    else history.pushState(null, '', address)
    this.#read()
    if (!options.replace) scrollTo(0, 0)
  }

  /** The parts of the path after a first part, or null when it is another page. */
  match(first: string): string[] | null {
    const [, head, ...rest] = this.path.split('/')
    return head === first ? rest.map(decodeURIComponent) : null
  }

  #read(): void {
    this.path = location.pathname
    this.query = new URLSearchParams(location.search)
  }

  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return
    const link = (event.target as Element).closest('a')
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return
    if (/^\/(api\/|docs$)/.test(link.pathname)) return // no page of the workbench
    event.preventDefault()
    this.go(link.pathname + link.search)
  }
}

export const router = new Router()
