/** Markdown as safe HTML: HTML in it is shown as it was typed, addresses other than of the web and mail lead nowhere, and
 * pictures are links (the page loads nothing from elsewhere). */
import { micromark } from 'micromark'
import { gfmAutolinkLiteral, gfmAutolinkLiteralHtml } from 'micromark-extension-gfm-autolink-literal'
import { gfmStrikethrough, gfmStrikethroughHtml } from 'micromark-extension-gfm-strikethrough'
import { gfmTable, gfmTableHtml } from 'micromark-extension-gfm-table'

export function html(markdown: string): string {
  return micromark(markdown, {
    extensions: [gfmTable(), gfmStrikethrough(), gfmAutolinkLiteral(), { disable: { null: ['labelStartImage'] } }],
    htmlExtensions: [gfmTableHtml(), gfmStrikethroughHtml(), gfmAutolinkLiteralHtml()],
  })
}
