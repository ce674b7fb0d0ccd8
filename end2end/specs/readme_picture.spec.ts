// The pictures of README.md. Drawn anew with SEAM_TEST_PICTURES=1, so that an ordinary run leaves the checkout alone.
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, finished, open, send, test } from '../support/world';

const PLACE = resolve(import.meta.dirname, '../../docs/screenshots');

test('a conversation, as README.md shows it', async ({ world, browser }) => {
  test.setTimeout(120_000);
  const draw = process.env.SEAM_TEST_PICTURES === '1';
  for (const [colorScheme, file] of [['light', 'chat.png'], ['dark', 'chat-dark.png']] as const) {
    const context = await world.member(browser, { colorScheme, viewport: { width: 1280, height: 800 }, deviceScaleFactor: draw ? 2 : 1 });
    const page = await context.newPage();
    await open(page, '/chat');
    await send(page, 'The capital of France is', 'assistant');
    await finished(page);
    await send(page, 'Give me three things to see there, as a list.', 'assistant');
    await finished(page);
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    const path = draw ? resolve(PLACE, file) : `test-results/pictures/${file}`;
    if (draw) mkdirSync(PLACE, { recursive: true });
    const picture = await page.screenshot({ path });
    expect(picture.length).toBeGreaterThan(10_000);
    await context.close();
  }
});
