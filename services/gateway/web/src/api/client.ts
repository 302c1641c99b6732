/** Calls of the JSON API. One way to fail: a `Problem` that says what was wrong and what to do. */

/** RFC 9457, with what the services add. */
interface Told {
  detail?: string
  remedy?: string
  field?: string
  difference?: Record<string, unknown>
}

export class Problem extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly remedy = '',
    readonly told: Told = {},
  ) {
    super(message)
  }

  /** The network or the server is away: the same call may go through later. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 502
  }
}

export interface Answer<T> {
  body: T
  etag: string | null
}

const SECONDS = 60

let chosen = (): string => ''

/** Calls are about this project from now on, as far as they are about one: the API takes it as a query parameter
everywhere, and what has an id is of its own project anyway. '' leaves it to the server. */
export const about = (project: () => string): void => void (chosen = project)

function scoped(path: string): string {
  const project = chosen()
  if (!project || /[?&]project=/.test(path)) return path
  return `${path}${path.includes('?') ? '&' : '?'}project=${encodeURIComponent(project)}`
}

export async function call<T>(
  method: string,
  path: string,
  options: { json?: unknown; body?: BodyInit; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Answer<T>> {
  const headers: Record<string, string> = { Accept: 'application/json', ...options.headers }
  if (options.json !== undefined) headers['Content-Type'] = 'application/json'
  const timeout = AbortSignal.timeout(SECONDS * 1000)
  let response: Response
  try {
    response = await fetch(scoped(path), {
      method,
      headers,
      body: options.json !== undefined ? JSON.stringify(options.json) : (options.body ?? null),
      credentials: 'same-origin',
      signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
    })
  } catch (error) {
    if (options.signal?.aborted) throw error
    throw new Problem(0, 'The server cannot be reached.', 'Check the network; it is tried again by itself.')
  }
  if (!response.ok) throw await problem(response)
  const empty = response.status === 204 || response.headers.get('Content-Length') === '0'
  return { body: (empty ? undefined : await response.json()) as T, etag: response.headers.get('ETag') }
}

export const get = async <T>(path: string, signal?: AbortSignal): Promise<T> =>
  (await call<T>('GET', path, signal ? { signal } : {})).body

export const post = async <T>(path: string, json: unknown = {}): Promise<T> =>
  (await call<T>('POST', path, { json })).body

export const put = async <T>(path: string, json: unknown): Promise<T> => (await call<T>('PUT', path, { json })).body

export const remove = async (path: string): Promise<void> => {
  await call('DELETE', path)
}

/** An address with its query; empty values are left out, lists repeat their name. */
export function address(path: string, query: Record<string, string | number | readonly string[] | null | undefined>): string {
  const found = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) value.forEach((one: string) => found.append(name, one))
    else if (value !== null && value !== undefined && value !== '') found.append(name, String(value))
  }
  const text = found.toString()
  return text ? `${path}?${text}` : path
}

/** A file with its progress, which fetch cannot tell. `progress` gets the share sent, 0 to 1. */
export function upload<T>(
  path: string,
  body: XMLHttpRequestBodyInit,
  progress: (share: number) => void,
  type?: string,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', scoped(path))
    request.responseType = 'json'
    request.setRequestHeader('Accept', 'application/json')
    if (type) request.setRequestHeader('Content-Type', type)
    request.upload.onprogress = (event) => progress(event.lengthComputable ? event.loaded / event.total : 0)
    request.onload = () => {
      if (request.status < 300) resolve(request.response as T)
      else reject(said(request.status, request.response))
    }
    request.onerror = () => reject(new Problem(0, 'The upload broke off.', 'Check the network, then send it again.'))
    request.send(body)
  })
}

async function problem(response: Response): Promise<Problem> {
  let view: unknown
  try {
    view = await response.json()
  } catch {
    view = {}
  }
  return said(response.status, view)
}

function said(status: number, view: unknown): Problem {
  const told = (view ?? {}) as Told
  return new Problem(status, told.detail || `The server answered ${status}.`, told.remedy ?? '', told)
}
