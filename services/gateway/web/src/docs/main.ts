import 'swagger-ui-dist/swagger-ui.css'
import './docs.css'
import bundle from 'swagger-ui-dist/swagger-ui-bundle.js?url'

declare function SwaggerUIBundle(options: Record<string, unknown>): unknown

if (matchMedia('(prefers-color-scheme: dark)').matches) document.documentElement.classList.add('dark-mode')

// As its makers ship it: made small already, which to do again takes Vite minutes.
const script = document.createElement('script')
script.src = bundle
script.onload = () =>
  SwaggerUIBundle({
    dom_id: '#docs',
    url: '/api/v1/openapi.json',
    deepLinking: true,
    docExpansion: 'none',
    defaultModelsExpandDepth: 0,
    filter: true,
    tagsSorter: 'alpha',
    // Nobody changes the figures of a hospital by trying out.
    supportedSubmitMethods: ['get'],
  })
document.head.append(script)
