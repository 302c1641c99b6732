import { expect, test } from 'vitest'
import { html } from './markdown'

test('text is formatted, tables, struck words and bare addresses too', () => {
  expect(html('# Tag\n\n1. *What* is **shown**')).toBe('<h1>Tag</h1>\n<ol>\n<li><em>What</em> is <strong>shown</strong></li>\n</ol>')
  expect(html('| a | b |\n|---|---|\n| 1 | 2 |')).toContain('<td>2</td>')
  expect(html('~~never~~')).toBe('<p><del>never</del></p>')
  expect(html('See https://example.org/a.')).toBe('<p>See <a href="https://example.org/a">https://example.org/a</a>.</p>')
})

test('nothing in it runs or loads', () => {
  expect(html('<script>alert(1)</script>\n\nA <b onclick="alert(1)">word</b>')).not.toMatch(/<(script|b)/)
  expect(html('[here](javascript:alert(1)) <javascript:alert(1)> [there](data:text/html,x)')).not.toMatch(/href="(javascript|data)/)
  expect(html('![a picture](https://example.org/a.png)')).toBe('<p>!<a href="https://example.org/a.png">a picture</a></p>')
  expect(html('[a](https://example.org/"onmouseover="alert(1))')).not.toContain('"onmouseover')
})
