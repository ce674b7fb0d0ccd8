// axe over a whole page, put in by hand so that no adapter's version has to fit.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, type Page } from '@playwright/test';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Fails with what axe found, where, and how to repair it. */
export async function accessible(page: Page, what: string): Promise<void> {
  await page.evaluate(AXE);
  const found = await page.evaluate(async (tags) => {
    const axe = (window as unknown as { axe: { run(root: Document, options: object): Promise<{ violations: any[] }> } }).axe;
    const { violations } = await axe.run(document, { runOnly: { type: 'tag', values: tags } });
    return violations.map((one) => `${one.id}: ${one.help} — ${one.nodes.map((node: any) => `${node.target} ${node.failureSummary}`).join(' | ')}`);
  }, RULES);
  expect(found, `axe on ${what}`).toEqual([]);
}

/** Nothing on the page reaches beyond its width. */
export async function fits(page: Page, what: string): Promise<void> {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(over, `${what} scrolls sideways by this many pixels`).toBeLessThanOrEqual(0);
}
